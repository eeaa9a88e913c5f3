"""`guidance`: reads `guidance-actions`, checks them and gives them their place in `video-stages`.

A thin shell: the step is models/action_intake.py, the way it is run streams/stateful.py.
"""

from collections.abc import Callable

from models.action_intake import ActionIntakeStep
from models.events import DecodingLimits
from models.steps import PartitionStep, StepFactory
from streams.metrics import Metrics


def guidance_factory(limits: DecodingLimits) -> StepFactory:
    """Return what makes the step of the one partition of `guidance-actions`."""

    def make(partition: int) -> PartitionStep:
        return ActionIntakeStep(partition, limits)

    return make


def guidance_observer(metrics: Metrics) -> Callable[[int, PartitionStep], None]:
    """Return what shows the figures of the partition after each checkpoint."""

    def observe(partition: int, step: PartitionStep) -> None:
        del partition
        if isinstance(step, ActionIntakeStep):
            metrics.observe_actions(*step.take_counts())

    return observe
