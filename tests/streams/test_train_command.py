import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_offline_training import START_MS, growing

from models.forecast_features import FEATURES
from models.forecast_model import ForecastModel
from models.parameters import DAY_MS, Level
from streams.cli import hotspots
from streams.errors import UserError


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("past") / "past.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in growing()))
    return path


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith("HOTSPOTS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(hotspots, [str(one) for one in arguments], catch_exceptions=False)


def test_a_past_becomes_a_model_that_a_backtest_forecasts_with(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.json"

    answer = run("train", file, "--model", out, "--level", "view:1000", "--horizon", "2d")

    assert answer.exit_code == 0, answer.output
    for said in ("average precision", "of views per hour", "precision", "calibration at 24 h"):
        assert said in answer.stdout
    assert "reading past.jsonl" in answer.stderr
    assert "learning" in answer.stderr
    model = ForecastModel.from_bytes(out.read_bytes(), FEATURES)
    assert (model.level, model.horizon_ms) == (Level("view", 1_000), 2 * DAY_MS)
    assert model.trained["from_ms"] >= START_MS
    scores = model.trained["later_videos"]
    assert f"{scores['average_precision'][0]:.3f}" in answer.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]

    alerts, forecasts = tmp_path / "a.jsonl", tmp_path / "f.jsonl"
    answer = run("backtest", file, "--alerts", alerts, "--forecasts", forecasts, "--model", out)

    assert answer.exit_code == 0, answer.output
    told = [json.loads(line) for line in alerts.read_text().splitlines()]
    emerging = [alert["data"] for alert in told if alert["type"] == "hotspot.emerging"]
    assert emerging
    assert {one["model"] for one in emerging} == {model.name}
    said = {json.loads(line)["probability"] for line in forecasts.read_text().splitlines()}
    assert len(said) > 100


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("nowhere.jsonl", "--model", "m.json"), "there is no file nowhere.jsonl"),
        (("past.jsonl", "--model", "nowhere/m.json"), "nowhere/m.json cannot be written"),
        (("past.jsonl", "--model", "past.jsonl"), "would be overwritten"),
        (("past.jsonl", "--model", "m.json", "--level", "view"), "HOTSPOTS_LEVEL"),
        (("past.jsonl", "--model", "m.json", "--level", "view:900000"), "20 are needed"),
    ],
)
def test_what_a_user_can_mend_is_one_line(
    file: Path, tmp_path: Path, options: tuple[str, ...], problem: str
) -> None:
    lines = file.read_bytes().splitlines(keepends=True)[:300]
    (tmp_path / "past.jsonl").write_bytes(b"".join(lines))

    with pytest.raises(UserError, match=problem) as caught:
        run("train", *options)

    assert len(caught.value.lines) == 1
    assert caught.value.problems[0].remedy
    assert [path.name for path in tmp_path.iterdir()] == ["past.jsonl"]
    assert (tmp_path / "past.jsonl").read_bytes() == b"".join(lines)


def test_a_library_that_cannot_be_loaded_is_one_line_with_what_to_install(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)

    with pytest.raises(UserError, match=r"LightGBM cannot be loaded.*libgomp1"):
        run("train", file, "--model", "m.json", "--level", "view:1000", "--horizon", "2d")
    assert not list(Path().iterdir())
