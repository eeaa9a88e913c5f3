"""What an alert of a topic says of what comes next: the next juncture, and how far it will go.

Both are learned in `hotspots` from its own topics. A topic enters a stage when the first of its
videos does, and its episode ends when the activity of all of them together has collapsed.
"""

from typing import Any, Final

from models.parameters import Parameters
from models.prospects import Prospects
from models.vocabulary import Stage
from models.work_table import WorkTable
from models.works import TOPIC, Work

PREFIX: Final = b"ow/"
"""Of its keys in the changelog."""

_EVERYWHERE: Final = ""
"""Stands for the platform: a topic may be on several."""


class WorkOutlook(Prospects):
    """What is known of what comes next of topics; works that are videos are passed over.

    Args:
        parameters: Level, horizon and the length of an epoch.
        works: The works, whose records hold their clocks.
    """

    def __init__(self, parameters: Parameters, works: WorkTable) -> None:
        super().__init__(parameters, works, PREFIX)

    def entered(self, work: Work, stage: Stage, time_ms: int) -> None:
        """Take in that one of its videos has entered a stage."""
        if work.kind == TOPIC:
            self.enter(work.slot, _EVERYWHERE, stage, time_ms)

    def ended(self, work: Work, time_ms: int) -> None:
        """Take in that its activity has collapsed."""
        if work.kind == TOPIC:
            self.end(work.slot, time_ms)

    def emerging(self, work: Work) -> None:
        """Take in that a topic is emerging: where it has entered nothing, its clock begins."""
        if not work.stages:
            self.enter(work.slot, _EVERYWHERE, Stage.PRESENTATION, work.number("last_ms"))

    def note(self, work: Work, progress: int) -> None:
        """Note that something was to be told of a topic: its outcome will say how far that goes.

        Args:
            work: The topic.
            progress: Of the episode, so far.
        """
        total, heat = work.number("progress"), float(work.row["heat"])
        self.reach.note(work.slot, work.number("last_ms"), progress, total, heat)

    def of(self, work: Work, progress: int) -> dict[str, Any]:
        """Return `next` and `reach` for an alert, each where it is known, JSON-ready.

        Args:
            work: The topic.
            progress: Of the episode, so far.
        """
        return self.ahead(work.slot, work.number("last_ms"), progress, float(work.row["heat"]))
