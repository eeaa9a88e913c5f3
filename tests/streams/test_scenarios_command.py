import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli import hotspots
from streams.commands.options import SPEED
from streams.commands.simulate import SCENARIOS
from streams.scenarios.british_museum import NAME, british_museum
from streams.scenarios.event_files import read_events


def test_the_file_holds_the_scenario_and_the_truth_beside_it(tmp_path: Path) -> None:
    out, truth = tmp_path / "events.jsonl.zst", tmp_path / "truth.json"
    actions = tmp_path / "actions.jsonl"
    arguments = [
        "--actions",
        str(actions),
        "--ordinary-videos",
        "5",
        "--seed",
        "3",
        "--out",
        str(out),
        "--truth",
        str(truth),
    ]
    done = CliRunner().invoke(hotspots, ["simulate", *arguments])
    assert done.exit_code == 0, done.output
    scenario = british_museum(3, 5)
    assert f"{scenario.events.height:,} events written" in done.output
    assert list(read_events(out)) == [line for _, line in scenario.timed_events()]
    assert actions.read_bytes().splitlines() == list(scenario.actions)
    assert json.loads(truth.read_text("utf-8")) == scenario.truth.to_dict()


def test_the_scenarios_are_listed() -> None:
    done = CliRunner().invoke(hotspots, ["simulate", "--list"])
    assert done.exit_code == 0
    assert NAME in SCENARIOS
    assert NAME in done.output


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("6600", 6600.0), ("0.5", 0.5)])
def test_a_speed_is_a_factor_or_max(text: str, speed: float | None) -> None:
    assert SPEED.convert(text, None, None) == speed


@pytest.mark.parametrize("text", ["0", "-1", "fast", "inf", "nan"])
def test_anything_else_is_no_speed(text: str) -> None:
    done = CliRunner().invoke(hotspots, ["simulate", "--speed", text, "--list"])
    assert done.exit_code == 2
    assert "neither a number above 0 nor 'max'" in done.output
