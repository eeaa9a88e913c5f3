"""`hotspots`: reads `video-stages`, writes alerts, the board and what was learned.

A thin shell: the step is models/hotspots.py, the way it is run streams/stateful.py.
"""

from collections.abc import Callable

from models.hotspots import HotspotsStep
from models.parameters import Parameters
from models.steps import PartitionStep, StepFactory
from streams.metrics import Agent, Metrics


def hotspots_factory(parameters: Parameters) -> StepFactory:
    """Return what makes the step of the one partition of `video-stages`."""

    def make(partition: int) -> PartitionStep:
        return HotspotsStep(partition, parameters)

    return make


def hotspots_observer(metrics: Metrics) -> Callable[[int, PartitionStep], None]:
    """Return what shows the figures of the partition after each checkpoint."""

    def observe(partition: int, step: PartitionStep) -> None:
        if isinstance(step, HotspotsStep):
            rows = len(step.roll_up.works) + len(step.roll_up.tracked)
            metrics.rows.labels(Agent.HOTSPOTS.value, partition).set(rows)
            metrics.observe_withheld(step.withheld.take_counts())

    return observe
