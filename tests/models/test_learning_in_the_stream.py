"""Forecasts that learn in the stream: a function of the log, told in time, of a bounded memory."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_outcome import START_MS, Worker, batches_log, source_log

from models.forecast_features import FEATURES
from models.forecast_model import ForecastModel, ModelFormatError
from models.forecast_versions import is_forecast, name_of
from models.forecasting import BASELINE
from models.hotspots import HotspotsStep
from models.parameters import HOUR_MS, MINUTE_MS, Level, Parameters
from models.stage_reports import decode_report
from models.stages import StagesStep
from streams.offline.pipeline import Pipeline

LEVEL = Level("view", 200)
HOURS = 48
VIDEOS = 150


def learning_parameters(partitions: int) -> Parameters:
    return Parameters(
        partitions=partitions,
        bucket_ms=5 * MINUTE_MS,
        epoch_ms=2 * HOUR_MS,
        level=LEVEL,
        horizon_ms=6 * HOUR_MS,
        expire_after_ms=24 * HOUR_MS,
    )


def uploads(seed: int) -> list[dict[str, object]]:
    """Return videos that are uploaded all day long: what is liked will be seen, the rest fades."""
    rng = np.random.default_rng(seed)
    events: list[dict[str, object]] = []
    for number in range(VIDEOS):
        begun = int(rng.integers(0, (HOURS - 8) * 60))
        liked = rng.random() < 0.4
        common = {"platform": "bilibili", "video_id": f"v{number}"}
        first = START_MS + begun * MINUTE_MS
        for step in range(40):
            at_ms = first + (step * 9 + int(rng.integers(0, 9))) * MINUTE_MS
            views = 5 if step < 8 else 9 if liked else 1
            views = int(rng.poisson(views))
            if views:
                events.append({**common, "action": "view", "time": at_ms, "count": views})
                if liked:
                    events.append({**common, "action": "like", "time": at_ms, "count": 2})
    # Somebody is active to the end, so that what was said last can mature.
    events += [
        {"platform": "x", "video_id": "x", "action": "view", "time": START_MS + hour * HOUR_MS}
        for hour in range(HOURS)
    ]
    events.sort(key=lambda event: event["time"])  # type: ignore[arg-type,return-value]  # all are whole numbers
    return events


class Learner(Worker):
    """A worker that begins with the regression."""

    def crash(self) -> None:
        self.parameters = learning_parameters(len(self.logs))
        partitions = range(len(self.logs))
        self.steps = [StagesStep(p, self.parameters, BASELINE) for p in partitions]
        self.hotspots = HotspotsStep(0, self.parameters)
        for step, durable in zip(self.steps, self.durable, strict=True):
            self._recover(step, durable)
        self._recover(self.hotspots, self.durable_hotspots)
        self.at = [d.offset for d in self.durable]
        self.at_hotspots = self.durable_hotspots.offset


def learner(partitions: int, sizes: list[int]) -> Learner:
    return Learner(partitions, batches_log(source_log(uploads(1)), partitions, sizes))


def forecasts(worker: Worker) -> dict[bytes, bytes]:
    return {key: value for key, value in worker.learned.items() if is_forecast(key)}


@pytest.fixture(scope="module")
def undisturbed() -> Learner:
    worker = learner(1, [300])
    worker.run()
    return worker


def test_a_version_is_learned_and_decisions_name_it(undisturbed: Learner) -> None:
    versions = forecasts(undisturbed)
    assert versions
    for key, value in versions.items():
        model = ForecastModel.from_bytes(value, FEATURES)
        through_epoch = int(key.split(b":")[-1])
        assert model.name == name_of(through_epoch)
        is_better = model.trained["gain"] > model.trained["standard_error"]
        assert is_better == (len(model.roots) > 0)
    said = {
        (alert["data"]["model"], alert["time"])  # type: ignore[index]  # JSON
        for alert in undisturbed.alerts
        if alert["type"] == "hotspot.emerging" and "model" in alert["data"]  # type: ignore[operator]  # JSON
    }
    names = {name for name, _ in said}
    assert BASELINE.name in names
    assert any(name.startswith("learned:epoch:") for name in names)  # type: ignore[attr-defined]  # it is a text


@given(
    partitions=st.integers(1, 3),
    sizes=st.lists(st.sampled_from([30, 110, 700]), min_size=1, max_size=3),
    chunk=st.sampled_from([4, 40, 10_000]),
)
@settings(max_examples=4, deadline=None)
def test_what_is_learned_is_the_same_however_it_came(
    undisturbed: Learner, partitions: int, sizes: list[int], chunk: int
) -> None:
    worker = learner(partitions, sizes)
    worker.run(chunk)
    assert forecasts(worker) == forecasts(undisturbed)
    assert worker.alerts == undisturbed.alerts


@given(
    partitions=st.integers(1, 2),
    script=st.lists(
        st.tuples(
            st.sampled_from(["process", "process", "commit", "hotspots", "tell", "crash"]),
            st.integers(0, 1),
        ),
        min_size=20,
        max_size=80,
    ),
    size=st.sampled_from([5, 20]),
)
@settings(max_examples=4, deadline=None)
def test_a_crash_unlearns_nothing(
    undisturbed: Learner, partitions: int, script: list[tuple[str, int]], size: int
) -> None:
    worker = learner(partitions, [60])
    for action, partition in script:
        match action:
            case "process":
                worker.process(partition % partitions, size)
            case "commit":
                worker.commit(partition % partitions)
            case "hotspots":
                worker.process_hotspots(size)
            case "tell":
                worker.commit_hotspots()
            case _:
                worker.crash()
    worker.crash()
    worker.run(size)
    assert forecasts(worker) == forecasts(undisturbed)
    assert worker.alerts == undisturbed.alerts


def test_a_crash_after_every_commit_unlearns_nothing(undisturbed: Learner) -> None:
    worker = learner(2, [200])
    while not worker.done() or not worker.at_hotspots:
        for partition in range(2):
            worker.process(partition, 4)
            worker.commit(partition)
        worker.process_hotspots(10)
        worker.commit_hotspots()
        worker.crash()
    assert forecasts(worker) == forecasts(undisturbed)
    assert worker.alerts == undisturbed.alerts


def test_the_file_tells_what_the_worker_told(undisturbed: Learner) -> None:
    pipeline = Pipeline(learning_parameters(3), BASELINE)
    pipeline.feed(batches_log(source_log(uploads(1)), 3, [100]))
    assert [json.loads(alert) for alert in pipeline.outcome.alerts] == undisturbed.alerts
    told = pipeline.outcome.versions
    assert {k: v for k, v in told.items() if is_forecast(k)} == forecasts(undisturbed)


def test_a_version_knows_nothing_of_what_comes_after_it(undisturbed: Learner) -> None:
    (first, *_) = sorted(forecasts(undisturbed))
    through_ms = (int(first.split(b":")[-1]) + 1) * learning_parameters(1).epoch_ms
    rng = np.random.default_rng(5)
    events = uploads(1)
    later = [event for event in events if int(str(event["time"])) >= through_ms]
    names = [event["video_id"] for event in later]
    shuffled = [
        {**event, "video_id": names[at], "count": int(rng.integers(1, 90)), "action": "view"}
        for event, at in zip(later, rng.permutation(len(later)).tolist(), strict=True)
    ]
    before = [event for event in events if int(str(event["time"])) < through_ms]
    # The sources must carry the same events in the same order up to the moment.
    worker = Learner(1, batches_log(source_log([*before, *shuffled]), 1, [300]))
    told: dict[bytes, bytes] = {}
    while not worker.done() or not worker.at_hotspots:
        worker.process(0, 5)
        worker.commit(0)
        worker.process_hotspots(10)
        worker.commit_hotspots()
        told |= worker.learned
    assert told[first] == undisturbed.learned[first]
    assert worker.alerts != undisturbed.alerts


def test_nothing_is_learned_where_it_is_switched_off() -> None:
    pipeline = Pipeline(replace(learning_parameters(1), learn_forecast=False), BASELINE)
    pipeline.feed(batches_log(source_log(uploads(1)), 1, [300]))
    assert not [key for key in pipeline.outcome.versions if is_forecast(key)]
    assert not any(len(decode_report(report).moments) for report in pipeline.outcome.reports)


def test_a_damaged_version_is_told(undisturbed: Learner) -> None:
    step = StagesStep(0, learning_parameters(1))
    key, value = next(iter(forecasts(undisturbed).items()))
    step.learn(key, value)
    with pytest.raises(ModelFormatError, match=r"forecast:epoch:.*damaged"):
        step.learn(key, value.replace(b'"intercept": 0.0', b'"intercept": 0.5'))
