import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from models.boosted_trees import Size
from models.forecast_features import FEATURES
from models.forecast_model import ForecastModel
from models.parameters import DAY_MS, HOUR_MS, Level
from streams.errors import UserError
from streams.forecasters import SHIPPED
from streams.scoreboard.ship_forecast import LEVEL, SIZES, main, read, ship

FILE_BYTES_MAX = 250_000
"""What a package may carry without anybody noticing."""


def past(path: Path, level: int, videos: int = 120) -> Path:
    """Write videos that grow at a pace of their own towards a level."""
    random = np.random.default_rng(level)
    events = []
    for number in range(videos):
        born_ms = 1_704_067_200_000 + int(random.integers(0, 4 * DAY_MS))
        per_step = level / 8 * random.lognormal(-0.3, 0.6)
        events += [
            {
                "time": born_ms + step * 3 * HOUR_MS,
                "platform": "p",
                "video_id": f"v{number}",
                "action": "view",
                "count": max(1, int(per_step * 0.85**step)),
            }
            for step in range(16)
        ]
    events.sort(key=lambda event: int(str(event["time"])))
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_pasts_of_different_levels_make_one_file(tmp_path: Path) -> None:
    small = read(Level("view", 500), past(tmp_path / "small.jsonl", 500))
    large = read(Level("view", 80_000), past(tmp_path / "large.jsonl", 80_000))

    ship(tmp_path / "m.json", [small, large], sizes=(Size(4, 0.1, 50),))

    model = ForecastModel.from_bytes((tmp_path / "m.json").read_bytes(), FEATURES)
    assert model.level == LEVEL
    assert model.trained["levels"] == ["view:500", "view:80000"]
    assert len(model.trained["videos"]) == 2


def test_a_level_without_a_file_is_wrong_usage(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, [str(tmp_path / "m.json"), "view:500"])

    assert answer.exit_code == 2
    assert "is not LEVEL=FILE" in answer.output
    with pytest.raises(UserError, match="there is no file"):
        CliRunner().invoke(
            main, [str(tmp_path / "m.json"), "view:500=nowhere.jsonl"], catch_exceptions=False
        )


def shipped() -> ForecastModel:
    return ForecastModel.from_bytes(SHIPPED.read_bytes(), FEATURES)


def test_what_is_shipped_was_made_by_this_script() -> None:
    model = shipped()

    assert SHIPPED.stat().st_size < FILE_BYTES_MAX
    assert (model.level, model.horizon_ms) == (LEVEL, 7 * DAY_MS)
    assert model.name.startswith("shipped:")
    assert len(model.trained["levels"]) == 2
    assert len(model.trained["trees"]) == 2
    assert {(one["leaves"], one["rate"]) for one in model.trained["trees"]} <= {
        (size.leaves, size.rate) for size in SIZES
    }


def test_what_is_shipped_says_more_of_a_video_that_is_nearer_and_faster() -> None:
    model = shipped()

    def said(share: float, share_a_day: float, hours: float) -> float:
        """Of a video that keeps one pace, with ordinary propensities."""
        pace = np.log(share_a_day)
        missing = np.log(1 - share)
        mean = np.log(24 * share / (hours + 1))
        day, three = np.log(share + share_a_day), np.log(share + 3 * share_a_day)
        found = {
            "progress": np.log(share),
            "age": np.log(hours + 1),
            "mean_pace": mean,
            **dict.fromkeys(("pace_6h", "pace_24h", "pace_72h"), pace),
            "pace_24h_to_mean": pace - mean,
            "pace_6h_to_72h": 0.0,
            **dict.fromkeys(("need_6h", "need_24h"), missing - pace),
            **dict.fromkeys(("day_6h", "day_24h"), day),
            "three_days_24h": three,
            **dict.fromkeys(("identification", "recent_identification"), np.log(0.1)),
            **dict.fromkeys(("interaction", "recent_interaction"), np.log(0.01)),
            **dict.fromkeys(("diffusion", "recent_diffusion"), np.log(0.004)),
        }
        row = np.array([[found[name] for name in model.features]])
        return float(model.probabilities(row)[0])

    slow_and_far = said(0.06, 0.005, 200)
    assert slow_and_far < 0.05
    assert said(0.5, 1.0, 12) > 0.6
    assert said(0.9, 2.0, 10) > 0.8
    assert said(0.9, 0.001, 700) < 0.5
