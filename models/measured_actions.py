"""Actions that people took: recorded once, shown where they were taken, and their effect measured.

An action counts from its own time on. It comes in at some place of the log, `video-stages`, and is
noticed at the first look (models/looks.py) that lies behind both: which look that is, is a
function of the log, and what is measured depends on the looks of its windows alone. So it makes no
difference how late an action is told, up to a window after it could have been measured; beyond that
it is said that it came too late.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.activity_history import SNAPSHOT, ActivityHistory, digest
from models.guidance_actions import GuidanceAction
from models.guidance_effects import COUNTED, MOMENTS, WORDS, Effect, Measured, chance_of, measure
from models.looks import look_buckets
from models.parameters import Parameters
from models.roll_up import RollUp
from models.works import VIDEO

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

PREFIX: Final = b"e/"
"""Of its keys in the changelog."""

MOST_OPEN: Final = 1_024
"""Actions whose effect is waited for at once; a team takes some dozens a day."""

MOST_REMEMBERED: Final = 4_096
"""Actions that are remembered once their effect was told."""

SHOWN: Final = 3
"""Actions that an alert names: the latest."""

LEAST_LOOKS: Final = 2
"""The shortest window before an action: how activity grew shows from two looks on."""

_COUNTED_NAMES: Final = ("activity", "excluded", "identified")
"""Columns of SNAPSHOT, in the order of guidance_effects.COUNTED."""

_LAST_BEFORE: Final = 2
"""Which of the moments is the last before the action."""

_TOLD: Final = PREFIX + b"t/"
_HISTORY: Final = PREFIX + b"h/"
_REST: Final = PREFIX + b"rest"


class EffectReason(StrEnum):
    """What became of a measurement: the closed set."""

    MEASURED = "effect_measured"
    FEW_CONTROLS = "too_few_alike"
    NOT_FOLLOWED = "not_followed_when_taken"
    TOO_LATE = "told_too_late"
    TOO_MANY = "too_many_actions"


WHY: Final = {
    EffectReason.FEW_CONTROLS: "cannot be measured: too few others are alike",
    EffectReason.NOT_FOLLOWED: (
        "cannot be measured: when the action was taken, nobody had judged, discussed or carried it "
        "on, or it was not known for long enough"
    ),
    EffectReason.TOO_LATE: "cannot be measured: the action was told too long after it was taken",
    EffectReason.TOO_MANY: f"cannot be measured: more than {MOST_OPEN:,} actions wait for it",
}
"""In words, where there is nothing to be measured."""


@dataclass(frozen=True, slots=True)
class ActionEffect:
    """What is told of an action when its windows are over.

    Attributes:
        action: The action.
        time_ms: The end of the window after it.
        said: Reason, figures and words, JSON-ready.
    """

    action: GuidanceAction
    time_ms: int
    said: dict[str, Any]


@dataclass(slots=True)
class _Noticed:
    """An action that a look has noticed: where it is shown, and what is known of its effect."""

    subjects: list[str] = field(default_factory=list)
    said: dict[str, Any] | None = None


class MeasuredActions:
    """All actions, and the history that they are measured on.

    Args:
        parameters: The window, and for how long things are remembered.
        roll_up: Works and videos.

    Attributes:
        history: How active videos and topics were.
    """

    def __init__(self, parameters: Parameters, roll_up: RollUp) -> None:
        self._parameters = parameters
        self._roll_up = roll_up
        self._per_look = look_buckets(parameters)
        look_ms = self._per_look * parameters.bucket_ms
        self._look_ms = look_ms
        self._window = max(parameters.effect_window_ms // look_ms, LEAST_LOOKS)
        self.history = ActivityHistory(
            parameters,
            roll_up,
            buckets_per_look=self._per_look,
            window=self._window,
            kept=3 * self._window + 2,
        )
        self._told: dict[str, tuple[GuidanceAction, int]] = {}
        self._noticed: dict[str, _Noticed] = {}
        self._shown: dict[str, list[str]] = {}
        self._new: set[str] = set()
        self._gone: set[str] = set()

    # -- what comes in ------------------------------------------------------------------------

    def take(self, action: GuidanceAction, through_bucket: int) -> bool:
        """Take in an action, and tell whether it is new.

        Args:
            action: The action.
            through_bucket: Up to this one everything was told before it in the log.
        """
        if action.action_id in self._told:
            return False
        self._told[action.action_id] = (action, through_bucket)
        self._new.add(action.action_id)
        return True

    def on(self, *subjects: str) -> list[dict[str, Any]]:
        """Return the latest actions on some subjects (works, keys of videos), JSON-ready."""
        ids = {one for subject in subjects for one in self._shown.get(subject, ())}
        return [self._told[one][0].to_dict() for one in sorted(ids, key=self._order)[-SHOWN:]]

    def latest(self, most: int) -> list[dict[str, Any]]:
        """Return the latest actions for the board, the last one first, with their effects."""
        latest = sorted(self._noticed, key=self._order)[: -most - 1 : -1]
        return [
            {"subject": self._told[one][0].shown_subject}
            | self._told[one][0].to_dict()
            | (self._noticed[one].said or {"reason": "waiting"})
            for one in latest
        ]

    def _order(self, action_id: str) -> tuple[int, str]:
        return self._told[action_id][0].taken_at_ms, action_id

    # -- a look -------------------------------------------------------------------------------

    def look(self, bucket: int) -> list[ActionEffect]:
        """Look at everything before a bucket, and return the effects that are known now."""
        look = bucket // self._per_look
        self.history.look(look)
        effects = self._notice(bucket)
        for action_id in sorted(self._noticed, key=self._order):
            noticed, action = self._noticed[action_id], self._told[action_id][0]
            if noticed.said is None and self._end_of(action) <= look:
                noticed.said = self._measure(action, look)
                effects.append(ActionEffect(action, self._time_of(action), noticed.said))
        self._forget(bucket)
        return effects

    def _look_of(self, action: GuidanceAction) -> int:
        """Return the last look before an action."""
        return action.taken_at_ms // self._look_ms

    def _end_of(self, action: GuidanceAction) -> int:
        """Return the look at the end of the window after an action, which the next look begins."""
        return self._look_of(action) + 1 + self._window

    def _time_of(self, action: GuidanceAction) -> int:
        return self._end_of(action) * self._look_ms - 1

    def _notice(self, bucket: int) -> list[ActionEffect]:
        """Notice the actions that were taken, and told, before the look at hand.

        All looks up to the one before bucket `through` + 1 may have been before it was told.

        Returns:
            Those that there is no room for.
        """
        fresh = [
            action_id
            for action_id, (action, through) in self._told.items()
            if action_id not in self._noticed
            and max(action.taken_at_ms // self._parameters.bucket_ms, through + 1) < bucket
        ]
        waiting = sum(noticed.said is None for noticed in self._noticed.values())
        refused = []
        for number, action_id in enumerate(sorted(fresh, key=self._order), waiting):
            noticed = self._noticed[action_id] = _Noticed(self._subjects_of(action_id))
            self._show(action_id, noticed)
            if number >= MOST_OPEN:
                action = self._told[action_id][0]
                noticed.said = self._said(EffectReason.TOO_MANY)
                refused.append(ActionEffect(action, action.taken_at_ms, noticed.said))
        return refused

    def _show(self, action_id: str, noticed: _Noticed) -> None:
        for subject in noticed.subjects:
            self._shown.setdefault(subject, []).append(action_id)

    def _subjects_of(self, action_id: str) -> list[str]:
        """Return what an action is shown on: its subject, and the works of its video."""
        action = self._told[action_id][0]
        if action.is_about_topic:
            return [action.subject]
        tracked = self._roll_up.tracked.get(action.subject)
        works = tracked.works if tracked else (f"{VIDEO}:{action.shown_subject}",)
        return [action.subject, *works]

    def _forget(self, bucket: int) -> None:
        """Forget actions that were told of long ago, and the oldest where there are too many."""
        over = [one for one, noticed in self._noticed.items() if noticed.said is not None]
        over.sort(key=self._order)
        before_ms = bucket * self._parameters.bucket_ms - self._parameters.expire_after_ms
        old = [one for one in over if self._time_of(self._told[one][0]) < before_ms]
        for action_id in over[: max(len(old), len(over) - MOST_REMEMBERED)]:
            for subject in self._noticed.pop(action_id).subjects:
                self._shown[subject].remove(action_id)
                if not self._shown[subject]:
                    del self._shown[subject]
            del self._told[action_id]
            self._gone.add(action_id)
            self._new.discard(action_id)

    # -- what it did --------------------------------------------------------------------------

    def _measure(self, action: GuidanceAction, look: int) -> dict[str, Any]:
        """Return what is said of the effect of an action."""
        last = self._look_of(action)
        if look - self._end_of(action) > self._window:
            return self._said(EffectReason.TOO_LATE)
        before = self._window_before(action, last)
        if before is None:
            return self._said(EffectReason.NOT_FOLLOWED)
        moments = [last - before, last - before // 2, last, last + 1, self._end_of(action)]
        counts, rows = self._alike(action, moments)
        if not len(rows):
            return self._said(EffectReason.NOT_FOLLOWED)
        now_ms = last * self._look_ms
        chance = chance_of(before // 2 * self._look_ms)
        found = measure(counts, now_ms - rows["since_ms"], rows["route"], chance)
        reason = EffectReason.MEASURED if found.activity else EffectReason.FEW_CONTROLS
        windows = {
            "before_ms": before * self._look_ms,
            "after_ms": self._window * self._look_ms,
        }
        return self._said(reason, found, windows)

    def _window_before(self, action: GuidanceAction, last: int) -> int | None:
        """Return the length of the window before an action in looks: the whole one, or a part.

        None where what it was taken on was not followed for long enough.
        """
        subject, looks = digest(action.subject), self._window
        while looks >= LEAST_LOOKS:
            rows = self.history.at(last - looks)
            if rows is not None and (rows["subject"] == subject).any():
                return looks
            looks //= 2
        return None

    def _alike(self, action: GuidanceAction, moments: list[int]) -> tuple[Ints, Rows]:
        """Return counts at the moments of an action's subject and of those that it may be held to.

        Returns:
            int64[n, MOMENTS, COUNTED], the subject first, and SNAPSHOT[n] at the last moment before
            the action; n is 0 where the subject was not followed throughout.
        """
        found = [rows for moment in moments if (rows := self.history.at(moment)) is not None]
        nothing = np.zeros((0, MOMENTS, COUNTED), np.int64)
        subject = digest(action.subject)
        if len(found) < MOMENTS or any(subject not in rows["subject"] for rows in found):
            return nothing, np.zeros(0, SNAPSHOT)
        subjects = reduce(np.intersect1d, (rows["subject"] for rows in found))
        aligned = [rows[np.searchsorted(rows["subject"], subjects)] for rows in found]
        counts = np.stack(
            [np.column_stack([one[name] for name in _COUNTED_NAMES]) for one in aligned], axis=1
        )
        then = aligned[_LAST_BEFORE]
        treated = np.flatnonzero(subjects == subject)
        own = then[treated[0]]
        alike = (then["platform"] == own["platform"]) & (then["stage"] == own["stage"])
        touched = self._touched(moments)
        alike &= ~np.isin(subjects, touched) & ~np.isin(then["works"], touched).any(axis=1)
        alike[treated] = False
        order = np.concatenate([treated, np.flatnonzero(alike)])
        return counts[order], then[order]

    def _touched(self, moments: list[int]) -> npt.NDArray[np.uint64]:
        """Return the digests of what somebody acted on between the moments, and of their works.

        What is done for one video of a work is done for the others as well.
        """
        subjects: set[str] = set()
        for action_id, noticed in self._noticed.items():
            if moments[0] <= self._look_of(self._told[action_id][0]) <= moments[-1]:
                subjects.update(noticed.subjects)
        return np.array([digest(subject) for subject in sorted(subjects)], np.uint64)

    def _said(
        self,
        reason: EffectReason,
        found: Measured | None = None,
        windows: dict[str, int] | None = None,
    ) -> dict[str, Any]:
        said: dict[str, Any] = {"reason": reason}
        if found is not None and found.activity is not None:
            effect = {"activity": found.activity.to_dict()}
            if found.exclusion is not None:
                effect["exclusion_odds"] = found.exclusion.to_dict()
            said |= {"effect": effect, "why": _words(found.activity, found)}
        else:
            said["why"] = WHY[reason]
        if found is not None:
            said["figures"] = found.figures() | (windows or {})
        return said

    # -- the changelog ------------------------------------------------------------------------

    def take_told(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield keys and values of the actions that came since the last call."""
        for action_id in sorted(self._new):
            action, through = self._told[action_id]
            value = json.dumps([asdict(action), through], ensure_ascii=False)
            yield _TOLD + action_id.encode(), value.encode()
        self._new.clear()

    def take_rows(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield keys and values of what has come of reports; None: dropped."""
        for action_id in sorted(self._gone - self._told.keys()):
            yield _TOLD + action_id.encode(), None
        self._gone.clear()
        for key, value in self.history.take_rows():
            yield _HISTORY + key, value
        noticed = {one: asdict(found) for one, found in sorted(self._noticed.items())}
        yield _REST, json.dumps(noticed, ensure_ascii=False).encode()

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of `take_told` or `take_rows`, in the order of their keys.

        Raises:
            ValueError: The key is of no kind that is known.
        """
        if key.startswith(_TOLD):
            action, through = json.loads(value)
            self._told[action["action_id"]] = (GuidanceAction(**action), through)
        elif key.startswith(_HISTORY):
            self.history.load(key[len(_HISTORY) :], value)
        elif key == _REST:
            self._noticed = {one: _Noticed(**found) for one, found in json.loads(value).items()}
            for action_id, found in self._noticed.items():
                self._show(action_id, found)
        else:
            raise ValueError(f"unknown key {key!r}")


def _words(effect: Effect, found: Measured) -> str:
    """Say an effect in words.

    >>> effect = Effect(ratio=1.8, low=0.9, high=3.12, coverage=0.9, placebo_p=0.1)
    >>> _words(effect, Measured(39, True, 10, 20, 10, 11, effect, None))
    '1.80 times the activity of 39 alike (0.90 to 3.12 with 90 %); matched, not randomised'
    """
    return (
        f"{effect.ratio:.2f} times the activity of {found.controls} alike ({effect.low:.2f} to "
        f"{effect.high:.2f} with {effect.coverage:.0%}); {WORDS}"
    ).replace("%)", " %)")
