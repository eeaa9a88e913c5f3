"""`hotspots`: reads `video-stages`, writes alerts, the board and what was learned.

A thin shell: the step is models/hotspots.py, the way it is run streams/stateful.py.
"""

from models.hotspots import HotspotsStep
from models.parameters import Parameters
from models.steps import PartitionStep, StepFactory


def hotspots_factory(parameters: Parameters) -> StepFactory:
    """Return what makes the step of the one partition of `video-stages`."""

    def make(partition: int) -> PartitionStep:
        return HotspotsStep(partition, parameters)

    return make
