"""`hotspots`: reads `video-stages`, writes alerts, the board and what was learned.

A thin shell: the step is models/hotspots.py, the way it is run streams/stateful.py.
"""

from collections.abc import Callable

from models.hotspots import HotspotsStep
from models.parameters import Parameters
from models.steps import PartitionStep, StepFactory
from streams.metrics import Agent, Metrics


def hotspots_factory(parameters: Parameters, forecaster: str) -> StepFactory:
    """Return what makes the step of the one partition of `video-stages`.

    Args:
        parameters: Of the pipeline.
        forecaster: The name of what forecasts in `stages` without anything learned in the stream.
    """

    def make(partition: int) -> PartitionStep:
        return HotspotsStep(partition, parameters, forecaster)

    return make


def hotspots_observer(metrics: Metrics) -> Callable[[int, PartitionStep], None]:
    """Return what shows the figures of the partition after each checkpoint."""
    seen: dict[int, tuple[PartitionStep, int, int]] = {}

    def observe(partition: int, step: PartitionStep) -> None:
        if not isinstance(step, HotspotsStep):
            return
        rows = len(step.roll_up.works) + len(step.roll_up.tracked)
        metrics.rows.labels(Agent.HOTSPOTS.value, partition).set(rows)
        learning = step.forecasts
        before_step, judged, adopted = seen.get(partition, (step, 0, 0))
        if before_step is not step:
            judged = adopted = 0
        seen[partition] = (step, learning.judged, learning.adopted)
        metrics.observe_candidates(learning.judged - judged, learning.adopted - adopted)
        metrics.forecast_moments.labels("kept").set(len(learning))
        metrics.forecast_moments.labels("matured").set(learning.matured)
        if learning.judgement is not None:
            metrics.observe_judgement(learning.judgement)
        metrics.observe_withheld(step.withheld.take_counts())
        metrics.discoveries.inc(step.discoveries.take_count())
        metrics.tested_videos.set(step.discoveries.tested)
        metrics.merged_topics.set(len(step.roll_up.merges))
        metrics.observe_verticals(step.views.latest.get("verticals", ()))

    return observe
