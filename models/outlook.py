"""What an alert of a video says of what comes next: the next juncture, and how far it will go.

Both are learned in `hotspots` from its own videos and change with each epoch of event time.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.blocks import BLOCK_SHIFT
from models.identity import split_video_key
from models.junctures import NO_CLOCK
from models.parameters import Parameters
from models.prospects import Prospects
from models.tracked_videos import TrackedVideo, TrackedVideos
from models.vocabulary import Stage, State

_OVER: Final = (State.FADED, State.INTERRUPTED)
_STATES: Final = tuple(State)

PREFIX: Final = b"o/"
"""Of its keys in the changelog."""


class Outlook(Prospects):
    """What is known of what comes next of videos.

    Args:
        parameters: Level, horizon and the length of an epoch.
        tracked: The videos, whose records hold their clocks.
    """

    def __init__(self, parameters: Parameters, tracked: TrackedVideos) -> None:
        super().__init__(parameters, tracked, PREFIX)
        self._tracked = tracked

    def transition(self, tracked: TrackedVideo, transition: Mapping[str, Any]) -> None:
        """Take in a transition of a video (report_building's words)."""
        time_ms = int(transition["time_ms"])
        if transition["state"] in _OVER:
            self.end(tracked.slot, time_ms)
        else:
            platform = split_video_key(tracked.video)[0]
            stage = Stage[transition["stage"].upper()]
            self.enter(tracked.slot, platform, stage, time_ms)

    def emerging(self, tracked: TrackedVideo, numbers: np.void) -> None:
        """Take in that a video is emerging; `numbers` is its row, of REPORT."""
        # An episode that came back by activity alone has entered nothing yet.
        came_back = _STATES[int(numbers["state"])] in _OVER
        if numbers["stage"] == Stage.PRESENTATION or came_back:
            platform = split_video_key(tracked.video)[0]
            self.enter(tracked.slot, platform, Stage.PRESENTATION, int(numbers["last_ms"]))

    def note(self, tracked: TrackedVideo, numbers: np.void) -> None:
        """Note that something was to be told of a video: its outcome will say how far that goes."""
        self.reach.note(
            tracked.slot,
            int(numbers["last_ms"]),
            int(numbers["episode_progress"]),
            int(numbers["total_progress"]),
            float(numbers["views_per_hour"]),
        )

    def forget(self, slots: npt.NDArray[np.int64]) -> None:
        """Note videos (int64[n], slots) that are forgotten; their records are as they were."""
        self.reach.forget(slots, self._tracked.rows["progress"][slots])
        self._tracked.rows["clock"][slots] = NO_CLOCK
        self._tracked.dirty.flags[slots >> BLOCK_SHIFT] = True

    def of(self, tracked: TrackedVideo, numbers: np.void, now_ms: int) -> dict[str, Any]:
        """Return `next` and `reach` for an alert, each where it is known, JSON-ready.

        Args:
            tracked: The video.
            numbers: Its row, of REPORT.
            now_ms: The time of the alert.
        """
        progress, per_hour = int(numbers["episode_progress"]), float(numbers["views_per_hour"])
        return self.ahead(tracked.slot, now_ms, progress, per_hour)
