"""Which videos are discovered in an epoch: e-BH over the videos of all partitions together.

Once every partition has told what an epoch showed (models/epoch_evidence.py), the videos with the
greatest e-values are called discovered, as many as e-BH allows (models/false_discovery.py). The
share of those among them that were inside their nulls is in the mean at most the rate that is set,
however videos depend on each other. All that were watched by the epoch's end are counted as tested.

Who comes to be watched in the middle of an epoch is tested from there on. Then the promise asks
that who comes does not depend on what those that are tested already show; if it does in the worst
of ways, the rate is promised up to a factor of 1 + ln(tested at the end / at the begin): an e-value
counts for at most 1 / (tested when it began), and these add up to the logarithm.

References:
    [1] R. Wang, A. Ramdas, "False discovery rate control with e-values", JRSS B 2022, theorem 2.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from models.alerts import rfc3339
from models.epoch_evidence import Candidate, EpochEvidence
from models.false_discovery import discoveries
from models.identity import split_video_key
from models.parameters import Parameters
from models.vocabulary import Signal

_DIGITS: Final = 2
"""Of logarithms, as alerts show them."""


@dataclass(slots=True)
class _Gathered:
    """What the partitions have told of an epoch so far."""

    tested: int = 0
    candidates: list[Candidate] = field(default_factory=list)


class Discoveries:
    """What was discovered in the latest epoch.

    Args:
        parameters: The rate, the length of an epoch and the size of the board.

    Attributes:
        epoch: The epoch that was judged last; None before the first.
        tested: How many videos were tested in it.
        videos: Those discovered, by key, the strongest first.
        in_a_row: For how many epochs each of them has been discovered.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._rate = parameters.false_discovery_rate
        self._epoch_ms = parameters.epoch_ms
        self._shown = parameters.board_size
        self._gathered: dict[int, _Gathered] = {}
        self.epoch: int | None = None
        self.tested = 0
        self.videos: dict[str, Candidate] = {}
        self.in_a_row: dict[str, int] = {}
        self._count = 0

    # -- what is told -------------------------------------------------------------------------

    def note(self, told: EpochEvidence) -> None:
        """Take in what a partition tells of an epoch; nothing of one that was judged before."""
        if self.epoch is None or told.epoch > self.epoch:
            gathered = self._gathered.setdefault(told.epoch, _Gathered())
            gathered.tested += told.tested
            gathered.candidates += told.candidates

    def pass_through(self, epoch: int) -> None:
        """Judge every epoch up to one; all partitions have told what these showed."""
        for ended in sorted(ended for ended in self._gathered if ended <= epoch):
            self._judge(ended, self._gathered.pop(ended))
        if self.epoch is not None and self.epoch < epoch:
            # Nobody has been watched since.
            self._judge(epoch, _Gathered())

    def _judge(self, epoch: int, gathered: _Gathered) -> None:
        # Videos are in one partition each, so this is an order, whoever told of them first.
        candidates = sorted(gathered.candidates, key=lambda one: (-one.log_e_value, one.video))
        log_e_values = np.array([one.log_e_value for one in candidates])
        found = discoveries(log_e_values, self._rate, gathered.tested)
        before = self.in_a_row if epoch - 1 == self.epoch else {}
        self.epoch, self.tested = epoch, gathered.tested
        self.videos = {candidates[at].video: candidates[at] for at in np.flatnonzero(found)}
        self.in_a_row = {video: before.get(video, 0) + 1 for video in self.videos}
        self._count += len(self.videos)

    def take_count(self) -> int:
        """Return how many discoveries there were since the last call, for a metric."""
        count, self._count = self._count, 0
        return count

    # -- what is said -------------------------------------------------------------------------

    def of(self, video: str) -> dict[str, Any]:
        """Return `discovery` for an alert of a video, where it is discovered, JSON-ready."""
        found = self.videos.get(video)
        return {} if found is None else {"discovery": self._about() | self._words(found)}

    def to_board(self) -> dict[str, Any]:
        """Return the latest epoch for the board, JSON-ready: the strongest, as many as it shows."""
        if self.epoch is None:
            return {}
        videos = []
        for found in list(self.videos.values())[: self._shown]:
            platform, video_id = split_video_key(found.video)
            about = {"platform": platform, "video_id": video_id, "title": found.title}
            videos.append(about | self._words(found))
        return self._about() | {"videos": videos}

    def _about(self) -> dict[str, Any]:
        """Return what all discoveries of the epoch share."""
        epoch = self.epoch or 0
        threshold = math.log(max(self.tested, 1) / (self._rate * max(len(self.videos), 1)))
        return {
            "from": rfc3339(epoch * self._epoch_ms),
            "until": rfc3339((epoch + 1) * self._epoch_ms),
            "false_discovery_rate": self._rate,
            "tested": self.tested,
            "discovered": len(self.videos),
            "log_threshold": round(threshold, _DIGITS),
        }

    def _words(self, found: Candidate) -> dict[str, Any]:
        return {
            "signal": Signal(found.signal).name.lower(),
            "log_e_value": round(found.log_e_value, _DIGITS),
            "epochs_in_a_row": self.in_a_row[found.video],
        }

    # -- the changelog ------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """Return what was judged; what is still to be judged is in the reports."""
        videos = [[*found, self.in_a_row[video]] for video, found in self.videos.items()]
        stored = {"epoch": self.epoch, "tested": self.tested, "videos": videos}
        return json.dumps(stored, ensure_ascii=False).encode()

    def load_bytes(self, stored: bytes) -> None:
        """Take back what `to_bytes` returned."""
        content = json.loads(stored)
        self.epoch, self.tested = content["epoch"], content["tested"]
        found = [(Candidate(*one), in_a_row) for *one, in_a_row in content["videos"]]
        self.videos = {one.video: one for one, _ in found}
        self.in_a_row = {one.video: in_a_row for one, in_a_row in found}
