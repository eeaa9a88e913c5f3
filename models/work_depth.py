"""How deep each work goes, held against other works, and what alerts and the board say of it.

At every look (models/guidance.py) the depth of the hottest works that there is something to say of
is worked out and remembered: that is what another work is compared with. What is remembered of a
work is its depth at the last look it was among them.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.depth import Cultural, DepthIndex, cultural_of, depth_of
from models.parameters import Parameters
from models.participation_figures import participation_figures
from models.roll_up import RollUp
from models.work_participation import MOST_MERGED, WorkParticipation
from models.works import Work, heat_at

Record = npt.NDArray[np.void]

LOOKED_AT: Final = 64
"""Works whose depth is worked out at a look, the hottest: more than a board shows (50)."""

REMEMBERED: Final = 256
"""Works whose depth is remembered (40 KB): a share among them has an interval of at most 0.12
(Wilson 1927), and those looked at longest ago give way."""

PREFIX: Final = b"depth/"
"""Of its key in the changelog."""


class WorkDepth:
    """The depth of works.

    Args:
        parameters: The length of a bucket.
        roll_up: The works.
        participation: Who takes part in them.
    """

    def __init__(
        self, parameters: Parameters, roll_up: RollUp, participation: WorkParticipation
    ) -> None:
        self._bucket_ms = parameters.bucket_ms
        self._roll_up = roll_up
        self._participation = participation
        self._known: dict[str, dict[str, float]] = {}
        self._depths: dict[str, tuple[Record, DepthIndex | None]] = {}

    def look(self, bucket: int) -> None:
        """Work out the depth of the hottest works, before a bucket."""
        if not len(self._participation):
            return
        hottest = self._hottest(bucket)
        for work, record in zip(hottest, self._participation.of_works(hottest), strict=True):
            depth = self._depth_of(work, record)
            if depth is not None:
                self._known.pop(work.work_id, None)
                self._known[work.work_id] = depth.components
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def _hottest(self, bucket: int) -> list[Work]:
        """Return the hottest works that there is something to say of, by id."""
        works = self._roll_up.works
        used = works.rows[: len(works.by_slot)]
        slots = np.flatnonzero(used["emerging"] | used["confirmed"] | (used["stages"] > 0))
        heats = heat_at(used[slots], bucket - 1, self._bucket_ms)
        if len(slots) > LOOKED_AT:
            limit = np.partition(heats, len(slots) - LOOKED_AT)[len(slots) - LOOKED_AT]
            slots, heats = slots[heats >= limit], heats[heats >= limit]
        found = [
            (-heat, work.work_id, work)
            for heat, slot in zip(heats.tolist(), slots.tolist(), strict=True)
            if (work := works.by_slot[slot]) is not None
        ]
        found.sort(key=lambda one: one[:2])
        return sorted((work for _, _, work in found[:LOOKED_AT]), key=lambda work: work.work_id)

    # -- what is said -------------------------------------------------------------------------

    def told(self, work: Work) -> dict[str, Any]:
        """Return `participation` and `depth` of a work for an alert, each where it is known."""
        record = self._participation.of_work(work)
        if record is None:
            return {}
        depth = self._depth_of(work, record)
        said: dict[str, Any] = {}
        if figures := participation_figures(record, depth):
            said["participation"] = figures
        if depth is not None:
            said["depth"] = depth.figures()
        return said

    def cultural(self, work: Work) -> dict[str, Any]:
        """Return `cultural` of a work that has reach; nothing where its depth is not known."""
        depth = self._depth_of(work, self._participation.of_work(work))
        return {} if depth is None else {"cultural": self._held(work, depth).figures()}

    def _depth_of(self, work: Work, record: Record | None) -> DepthIndex | None:
        """Return the depth of a work with this record, worked out once for each record."""
        if record is None:
            return None
        known = self._depths.get(work.work_id)
        if known is not None and known[0] is record:
            return known[1]
        if len(self._depths) >= MOST_MERGED:
            self._depths.clear()
        depth = depth_of(record)
        self._depths[work.work_id] = record, depth
        return depth

    def _held(self, work: Work, depth: DepthIndex) -> Cultural:
        names = {one.work_id for one in self._roll_up.merged.named(work)}
        others = [known for name, known in self._known.items() if name not in names]
        return cultural_of(depth, others)

    def on_board(self, works: Sequence[Work]) -> list[dict[str, Any]]:
        """Return what the board says of the depth of some works: null where it is not known."""
        shown = []
        for work, record in zip(works, self._participation.of_works(works), strict=True):
            depth = self._depth_of(work, record)
            reach = bool(work.row["confirmed"])
            shown.append(
                {
                    "depth": None if depth is None else round(depth.index, 3),
                    "cultural": None
                    if depth is None or not reach
                    else self._held(work, depth).holds,
                }
            )
        return shown

    # -- the changelog ------------------------------------------------------------------------

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Return key and value of what is remembered."""
        stored = json.dumps(list(self._known.items()), ensure_ascii=False, separators=(",", ":"))
        return [(PREFIX, stored.encode())]

    def load(self, _key: bytes, value: bytes) -> None:
        """Take back one of `rows`.

        Raises:
            ValueError: It is damaged.
        """
        self._known = dict(json.loads(value))
