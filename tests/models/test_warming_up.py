"""What is compiled before the stream begins is all that the stream needs."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json
import numpy as np
from models.compiled import COMPILED
from models.forecast_features import FEATURES
from models.forecast_model import NODE, Calibration, ForecastModel
from models.forecasting import Forecaster
from models.intake import Intake
from models.parameters import DAY_MS, Level, Parameters
from models.warming_up import warm_up
from streams.offline.pipeline import Pipeline, chunk_of
from streams.scenarios.british_museum import british_museum

warm_up()
Intake(2, bytes(16)).warm_up()
before = {f"{f.__module__}.{f.__name__}": f.signatures[:] for f in COMPILED}
# A learned forecast: certain of what has gone a tenth of the way.
nodes = np.zeros(3, NODE)
nodes["feature"] = 0, -1, -1
nodes["threshold"][0], nodes["left"][0], nodes["right"][0] = np.log(0.1), 1, 2
nodes["value"][1:] = -1, 1
calibration = Calibration(np.array([-1.0, 1.0]), np.array([0.1, 0.9]))
roots, level = np.array([0]), Level("view", 10_000)
model = ForecastModel("m", level, 7 * DAY_MS, FEATURES, nodes, roots, 0.0, calibration)
model = ForecastModel.from_bytes(model.to_bytes(), FEATURES)
pipeline = Pipeline(Parameters(partitions=2, level=level), Forecaster.of(model))
intake, low = Intake(2, bytes(16)), 0
lines = [line for _, line in british_museum(ordinary_videos=20).timed_events()][:60_000]
for first in range(0, len(lines), 5_000):
    part = lines[first : first + 5_000]
    taken = intake.process(chunk_of(part, first), source=0, sources=1, received_ms=1 << 60)
    pipeline.feed(taken.batches)
assert any(b"of the level reached" in alert for alert in pipeline.outcome.alerts)
after = {f"{f.__module__}.{f.__name__}": f.signatures[:] for f in COMPILED}
for name, signatures in sorted(after.items()):
    if signatures != before[name]:
        print(name, "was called with", signatures[len(before[name]) :])
print(*sorted(name for name, signatures in before.items() if signatures))
"""
REPOSITORY = Path(__file__).parents[2]


def test_nothing_is_compiled_in_the_middle_of_a_stream() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=400,
    )
    *surprises, warmed = ended.stdout.splitlines()
    assert not surprises
    assert set(warmed.split()) >= {
        "models.bucket_decision._decide",
        "models.bucket_passing.pass_buckets",
        "models.event_scanning._scan",
        "models.forecast_model.contribute",
        "models.recent_ids._mark_repeats",
        "models.undecided._sum_rows",
    }
