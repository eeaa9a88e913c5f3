"""Works that go by several names as one: figures, forecasts, ranks and people of all of them.

Nothing is kept of it but the shares of the names (models/name_shares.py): each topic goes on with
its own numbers, and what they come to together is worked out when somebody asks. So names that are
parted again are what they would have been without the merge.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.cohorts import SIGNALS
from models.forecast import FAST_HALF_LIFE_MS, SLOW_HALF_LIFE_MS
from models.parameters import Parameters
from models.topic_merges import TopicMerges
from models.transitions import ACTIVITY_HALF_LIFE_MS
from models.vocabulary import ROLES
from models.work_table import WorkTable
from models.works import Work

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.void]

_RATES: Final = (
    ("pace_fast_per_hour", FAST_HALF_LIFE_MS),
    ("pace_slow_per_hour", SLOW_HALF_LIFE_MS),
    ("heat", ACTIVITY_HALF_LIFE_MS),
)
"""Rates, with the half-life that each is smoothed with."""


class _OneRow:
    """Numbers of one work that stand nowhere else: works.Columns."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows


class MergedWorks:
    """Works as they are under all of their names.

    Args:
        parameters: The length of a bucket.
        works: All works.
        merges: Which of them are one.
    """

    def __init__(self, parameters: Parameters, works: WorkTable, merges: TopicMerges) -> None:
        self._bucket_ms = parameters.bucket_ms
        self._works = works
        self._merges = merges

    def slots(self) -> Ints:
        """Return int64[n], the slots of the topics that are one work with others, by id."""
        by_id = self._works.by_id
        return np.array([by_id[n].slot for n in self._merges.names if n in by_id], np.int64)

    def named(self, work: Work) -> list[Work]:
        """Return a work under each of its names, by id; itself alone where it has one."""
        others = self._merges.others(work.work_id)
        return sorted([work, *others], key=lambda one: one.work_id)

    def of(self, work: Work) -> Work:
        """Return a work as it is under all of its names, for reading."""
        names = self.named(work)
        if len(names) == 1:
            return work
        platforms: dict[str, int] = {}
        for name in names:
            for platform, since_ms in name.platforms.items():
                platforms[platform] = min(platforms.get(platform, since_ms), since_ms)
        return Work(
            _OneRow(self._together(work, names)),
            0,
            work.work_id,
            work.title,
            platforms,
            _foremost(work, names).reason,
            _led_by(work, names).former_lead,
        )

    def rows(self, slots: Ints) -> Rows:
        """Return WORK[n]: the numbers of some works under all of their names."""
        rows: Rows = self._works.rows[slots]
        if len(self._merges):
            several = np.flatnonzero(np.isin(slots, self.slots()))
            for at, slot in zip(several.tolist(), slots[several].tolist(), strict=True):
                work = self._works.by_slot[slot]
                if work is not None:
                    rows[at] = self._together(work, self.named(work))[0]
        return rows

    def _together(self, work: Work, names: list[Work]) -> Rows:
        """Return WORK[1]: a work's numbers, with those of its other names."""
        rows: Rows = self._works.rows[[name.slot for name in names]]
        shares = [self._merges.share_of(name.work_id) for name in names]
        by_views = np.array([share.views for share in shares])
        by_videos = np.array([share.videos for share in shares])
        living = ~rows["resting"]
        one: Rows = self._works.rows[[work.slot]]
        for field in ("views", "progress"):
            one[field] = round(float((rows[field] * by_views).sum()))
        for signal in range(SIGNALS):
            one["acted"][0, signal] = round(float((rows["acted"][:, signal] * by_views).sum()))
        one["videos"] = round(float((rows["videos"] * by_videos).sum()))
        episode = np.maximum(rows["progress"] - rows["progress_before_episode"], 0)
        one["progress_before_episode"] = one["progress"] - round(
            float((episode * by_views)[living].sum())
        )
        last = int(rows["last_bucket"].max())
        silent_ms = (last - rows["last_bucket"]) * self._bucket_ms
        for field, half_life_ms in _RATES:
            one[field] = (rows[field] * np.exp2(-silent_ms / half_life_ms) * by_views).sum()
        one["peak_heat"] = np.maximum(one["peak_heat"], one["heat"])
        one["last_bucket"], one["last_ms"] = last, rows["last_ms"].max()
        one["first_ms"] = rows["first_ms"].min()
        if living.any():
            one["episode_ms"] = rows["episode_ms"][living].min()
        one["roles"] = np.bitwise_or.reduce(rows["roles"])
        for role in range(len(ROLES)):
            entered = [at_ms for at_ms in rows["role_ms"][:, role].tolist() if at_ms > 0]
            one["role_ms"][0, role] = min(entered, default=0)
        one["stages"] = np.bitwise_or.reduce(rows["stages"])
        led_by = _led_by(work, names)
        for field in ("lead", "lead_views"):
            one[field] = led_by.row[field]
        foremost = _foremost(work, names)
        for field in ("stage", "route", "state"):
            one[field] = foremost.row[field]
        for field in ("emerging", "told", "confirmed"):
            one[field] = rows[field].any()
        one["resting"] = not living.any()
        one["probability"] = rows["probability"].max()
        return one


def _led_by(work: Work, names: list[Work]) -> Work:
    """Return the name with the video of most views; the work's own of equals."""
    return max(names, key=lambda one: (one.number("lead_views"), one is work))


def _foremost(work: Work, names: list[Work]) -> Work:
    """Return the name under which a work has come furthest in this episode; its own of equals."""
    return max(
        names,
        key=lambda one: (bool(one.row["stages"]), one.number("stage"), one is work),
    )
