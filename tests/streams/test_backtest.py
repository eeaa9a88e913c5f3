import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import zstandard
from click.testing import CliRunner, Result

from models.forecast import NAME
from models.forecast_features import FEATURES
from models.forecast_model import LEAF, NODE, Calibration, ForecastModel
from models.parameters import Level
from streams.cli import hotspots
from streams.errors import UserError

START_MS = 1_693_353_600_000
MINUTE_MS = 60_000


def events() -> list[dict[str, object]]:
    """Return a day of three videos, one of which runs away, with people who act by name."""
    rng = np.random.default_rng(3)
    made: list[dict[str, object]] = []
    for minute in range(0, 24 * 60, 10):
        for video in ("quiet", "loud", "other"):
            loud = video == "loud" and 300 <= minute < 500
            base = {
                "time": START_MS + minute * MINUTE_MS + int(rng.integers(0, 5 * MINUTE_MS)),
                "platform": "bilibili",
                "video_id": video,
            }
            made.append({**base, "action": "view", "count": 3_000 if loud else 20})
            made.append({**base, "action": "like", "count": 1_200 if loud else 2})
            if loud:
                made.append({**base, "action": "share", "count": 300})
                made.append({**base, "action": "comment", "count": 300})
            made.append({**base, "action": "comment", "actor_id": f"someone-{minute}"})
    return sorted(made, key=lambda event: str(event["time"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of events in every format that is read."""
    path = tmp_path_factory.mktemp("events")
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in events())
    (path / "events.jsonl").write_bytes(lines)
    (path / "events.jsonl.gz").write_bytes(gzip.compress(lines))
    (path / "events.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(lines))
    pl.DataFrame(events(), infer_schema_length=None).write_parquet(path / "events.parquet")
    return path


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith("HOTSPOTS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def backtest(file: Path, out: Path, *options: str) -> tuple[list[dict[str, object]], Result]:
    answer = CliRunner().invoke(
        hotspots,
        ["backtest", str(file), "--alerts", str(out / "a.jsonl"), *options],
        catch_exceptions=False,
    )
    assert answer.exit_code == 0, answer.output
    lines = (out / "a.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines], answer


def test_every_format_gives_the_same_alerts(folder: Path, tmp_path: Path) -> None:
    outcomes = {}
    for file in sorted(folder.iterdir()):
        backtest(file, tmp_path)
        outcomes[file.name] = (tmp_path / "a.jsonl").read_bytes()
    assert len(outcomes) == 4
    assert len(set(outcomes.values())) == 1
    alerts = [json.loads(line) for line in outcomes["events.jsonl"].splitlines()]
    assert {a["subject"] for a in alerts} == {"bilibili/loud", "video:bilibili/loud"}
    kinds = {a["type"] for a in alerts}
    assert kinds >= {"hotspot.stage.entered", "hotspot.emerging", "hotspot.confirmed"}
    for alert in alerts:
        assert alert["data"]["reason"]
        assert alert["data"]["platform"] == "bilibili"


def test_no_person_is_named_in_what_is_written(folder: Path, tmp_path: Path) -> None:
    backtest(folder / "events.jsonl", tmp_path, "--forecasts", str(tmp_path / "f.jsonl"))
    for name in ("a.jsonl", "f.jsonl"):
        assert "someone" not in (tmp_path / name).read_text(encoding="utf-8")


def test_forecasts_are_lines_that_say_only_what_changed(folder: Path, tmp_path: Path) -> None:
    backtest(folder / "events.jsonl", tmp_path, "--forecasts", str(tmp_path / "f.jsonl"))
    text = (tmp_path / "f.jsonl").read_text(encoding="utf-8")
    forecasts = [json.loads(line) for line in text.splitlines()]
    known = {event["time"] for event in events()}
    last: dict[str, tuple[int, float]] = {}
    for forecast in forecasts:
        assert set(forecast) == {"time", "platform", "video_id", "probability"}
        assert 0 <= forecast["probability"] <= 1
        # Its time is that of the last event that it reflects, and never goes back.
        assert forecast["time"] in known
        before = last.get(forecast["video_id"])
        if before is not None:
            assert forecast["probability"] != before[1]
            assert forecast["time"] >= before[0]
        last[forecast["video_id"]] = forecast["time"], forecast["probability"]
    assert set(last) == {"quiet", "loud", "other"}
    assert max(f["probability"] for f in forecasts if f["video_id"] == "loud") == 1
    assert max(f["probability"] for f in forecasts if f["video_id"] == "quiet") < 0.6


def test_emerging_alerts_agree_with_the_forecasts(folder: Path, tmp_path: Path) -> None:
    """What a score reads: the alert comes with the forecast that first passed the alert level."""
    alerts, _ = backtest(
        folder / "events.jsonl", tmp_path, "--forecasts", str(tmp_path / "f.jsonl")
    )
    lines = (tmp_path / "f.jsonl").read_text(encoding="utf-8").splitlines()
    (alert,) = [a for a in alerts if a["type"] == "hotspot.emerging"]
    assert alert["data"]["video_id"] == "loud"  # type: ignore[index]  # JSON
    passed = [f for f in map(json.loads, lines) if f["probability"] >= 0.6]
    assert passed[0]["video_id"] == "loud"
    seconds = passed[0]["time"] / 1_000
    when = np.datetime64(str(alert["time"]).removesuffix("Z"), "ms").astype(int) / 1_000
    assert when == seconds


def test_the_level_and_the_horizon_can_be_given(folder: Path, tmp_path: Path) -> None:
    high, _ = backtest(folder / "events.jsonl", tmp_path, "--level", "view:100000000")
    assert not [a for a in high if a["type"] == "hotspot.confirmed"]
    low, _ = backtest(folder / "events.jsonl", tmp_path, "--level", "share:100", "--horizon", "36h")
    emerging = [a["data"] for a in low if a["type"] == "hotspot.emerging"]
    assert emerging
    assert {(d["level"], d["horizon_ms"]) for d in emerging} == {  # type: ignore[index]  # JSON
        ("share:100", 36 * 3_600_000)
    }


def model_file(folder: Path, *, level: str = "view:58000", horizon_ms: int = 36 * 3_600_000) -> str:
    """Write a forecast that says 0.7 of every video, and return its name."""
    nodes = np.zeros(1, NODE)
    nodes["feature"] = LEAF
    calibration = Calibration(np.array([0.0, 1.0]), np.array([0.7, 0.8]))
    roots, parsed = np.array([0]), Level.parse(level)
    made = ForecastModel("own", parsed, horizon_ms, FEATURES, nodes, roots, 0.0, calibration)
    path = folder / "model.json"
    path.write_bytes(made.to_bytes())
    return str(path)


def test_a_model_forecasts_for_the_level_and_horizon_it_remembers(
    folder: Path, tmp_path: Path
) -> None:
    model = model_file(tmp_path)
    options = ["--model", model, "--forecasts", str(tmp_path / "f.jsonl")]
    alerts, _ = backtest(folder / "events.jsonl", tmp_path, *options)
    (told,) = [a["data"] for a in alerts if a["type"] == "hotspot.emerging"]
    assert isinstance(told, dict)
    assert (told["level"], told["horizon_ms"]) == ("view:58000", 36 * 3_600_000)
    assert (told["probability"], told["model"]) == (0.7, "own")
    lines = (tmp_path / "f.jsonl").read_text(encoding="utf-8").splitlines()
    assert {f["probability"] for f in map(json.loads, lines)} == {0.0, 0.7, 1.0}
    same, _ = backtest(folder / "events.jsonl", tmp_path, *options, "--level", "view:58000")
    assert same == alerts


@pytest.mark.parametrize("option", [("--level", "view:5000"), ("--horizon", "7d")])
def test_a_level_or_horizon_that_contradicts_the_model_is_told(
    folder: Path, tmp_path: Path, option: tuple[str, str]
) -> None:
    with pytest.raises(UserError, match=option[1]):
        backtest(folder / "events.jsonl", tmp_path, "--model", model_file(tmp_path), *option)


def test_an_emerging_alert_says_what_spoke_for_it(folder: Path, tmp_path: Path) -> None:
    options = ("--level", "comment:900")  # there is no learned forecast of comments
    alerts, _ = backtest(folder / "events.jsonl", tmp_path, *options)
    (told,) = [a["data"] for a in alerts if a["type"] == "hotspot.emerging"]
    assert isinstance(told, dict)
    assert told["model"] == NAME
    assert 1 <= len(told["signals"]) <= 3
    assert all("of the level" in said or said.startswith("it began") for said in told["signals"])


def test_bad_lines_are_counted_by_reason_and_change_nothing(folder: Path, tmp_path: Path) -> None:
    clean, _ = backtest(folder / "events.jsonl", tmp_path)
    lines = (folder / "events.jsonl").read_bytes().splitlines()
    dirty = tmp_path / "dirty.jsonl"
    for position in range(0, len(lines), 9):
        lines[position] += b"\n{not json\n" + b'{"time":1,"platform":"p","video_id":"v"}'
    dirty.write_bytes(b"\n".join(lines))
    again, answer = backtest(dirty, tmp_path)
    assert again == clean
    assert "rejected" in answer.output


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("none.jsonl", None, "there is no file"),
        ("damaged.jsonl.gz", b"\x1f\x8b\x08\x00garbage", "damaged"),
        ("damaged.parquet", b"PAR1garbage", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_exit_code_2_and_one_line(
    tmp_path: Path, name: str, content: bytes | None, what: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = subprocess.run(
        [sys.executable, "-m", "streams.cli", "backtest", name, "--alerts", "a.jsonl"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
    )
    assert ended.returncode == 2, ended.stderr
    problem = [line for line in ended.stderr.splitlines() if line.startswith("hotspots: ")]
    assert len(problem) == 1
    assert what in problem[0]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("options", [["--level", "watch:5"], ["--horizon", "soon"]])
def test_a_level_or_horizon_that_is_none_is_told(
    folder: Path, tmp_path: Path, options: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        backtest(folder / "events.jsonl", tmp_path, *options)
    assert options[1] in str(caught.value)


def test_alerts_that_cannot_be_written_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        backtest(folder / "events.jsonl", tmp_path / "no such folder")


def test_a_wrong_file_empties_no_earlier_result_and_no_input_is_overwritten(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "alerts.jsonl"
    out.write_text("earlier\n")
    result = CliRunner().invoke(
        hotspots, ["backtest", str(tmp_path / "missing"), "--alerts", str(out)]
    )
    assert isinstance(result.exception, UserError)
    assert out.read_text() == "earlier\n"
    file = next(p for p in folder.iterdir() if p.suffix == ".jsonl")
    before = file.read_bytes()
    result = CliRunner().invoke(hotspots, ["backtest", str(file), "--alerts", str(file)])
    assert isinstance(result.exception, UserError)
    assert file.read_bytes() == before
