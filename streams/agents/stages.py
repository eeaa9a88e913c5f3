"""`stages`: reads batches, keeps a row per video, writes what changed to `video-stages`.

A thin shell: the step is models/stages.py, the way it is run streams/stateful.py.
"""

from collections.abc import Callable

from models.forecasting import Forecaster
from models.parameters import Parameters
from models.stages import StagesStep
from models.steps import PartitionStep, StepFactory
from streams.metrics import Agent, Metrics


def stages_factory(parameters: Parameters, forecaster: Forecaster) -> StepFactory:
    """Return what makes the step of one partition of `engagement-batches`."""

    def make(partition: int) -> PartitionStep:
        return StagesStep(partition, parameters, forecaster)

    return make


def stages_observer(
    metrics: Metrics, now_ms: Callable[[], int]
) -> Callable[[int, PartitionStep], None]:
    """Return what shows the figures of a partition after each checkpoint."""
    seen: dict[int, tuple[PartitionStep, tuple[int, int, int]]] = {}

    def observe(partition: int, step: PartitionStep) -> None:
        if not isinstance(step, StagesStep):
            return
        counters = step.counters
        figures = (counters.late, counters.repeats, counters.batches_repeated)
        before_step, before = seen.get(partition, (step, (0, 0, 0)))
        if before_step is not step:
            before = (0, 0, 0)
        seen[partition] = (step, figures)
        metrics.events_late.inc(figures[0] - before[0])
        metrics.events_repeated.inc(figures[1] - before[1])
        metrics.batches_repeated.inc(figures[2] - before[2])
        videos = step.videos_by_stage()
        metrics.observe_videos(partition, videos)
        metrics.rows.labels(Agent.STAGES.value, partition).set(sum(videos.values()))
        if step.watermark_ms > 0:
            delay_ms = now_ms() - step.watermark_ms
            metrics.watermark_delay.labels(partition).set(delay_ms / 1000)

    return observe
