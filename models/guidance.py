"""Guidance: what can be done about hotspots, said once, at looks at fixed moments of event time.

A *look* comes every LOOK_MS of event time, after all buckets before it are decided, so what is said
is a function of the log. Works are watched from the moment when there is something to say of them:
they are emerging, confirmed, or a video of theirs has entered a stage. A rule is raised when it
holds and is armed again when it is over (models/guidance_rules.py), or when the work begins a new
episode. Besides the rules some things that happen are told when they do: that the elites enter a
discussion, that comments stand out, that symbols emerge which people feel for, and that an original
derivative goes deep itself.

With a budget of alerts (HOTSPOTS_ALERTS_PER_DAY) guidance has a share of its own, of as many a day:
the most urgent of a look first; what finds no room waits for as long as it holds.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.alerts import AlertType
from models.guidance_rules import (
    COMMENTS_SUGGESTION,
    CREATION_SUGGESTION,
    ELITE_CODES,
    ELITE_MASK,
    ENTRY_SUGGESTION,
    GUIDED_NUMBERS,
    RULES,
    SYMBOLS_SUGGESTION,
    GuidanceLevel,
    GuidanceReason,
    Looked,
    Urgency,
)
from models.highlights import HIGHLIGHTS_TOLD
from models.homogenisation import LATEST, Homogenisation, homogenisation_of, is_near_copy
from models.hotspot_alerts import AlertWriter
from models.identity import video_key
from models.looks import look_buckets
from models.parameters import DAY_MS, Parameters
from models.roll_up import RollUp
from models.tracked_videos import TrackedVideo, shown
from models.transitions import ACTIVITY_HALF_LIFE_MS
from models.vocabulary import ROLES, Route, Signal, Stage
from models.work_integrity import WorkIntegrity
from models.work_voices import WorkVoices
from models.works import Work, heat_at, noteworthy

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

MOST_WATCHED: Final = 4_096
"""Works that guidance is given for at once, the hottest; a team reads some dozens."""

MOST_CREATIONS: Final = 3
"""Deep creations told of a work in an episode: the first ones, as an encouragement to others."""

MOST_WAITING: Final = 4_096
"""Deep creations that wait for the next look."""

PREFIX: Final = b"g/"
"""Of its keys in the changelog."""

_ROWS: Final = b"g/rows"
_REST: Final = b"g/rest"

GUIDED: Final = np.dtype(
    [*GUIDED_NUMBERS, ("raised", np.bool_, (len(RULES),)), ("times", np.int32, (len(RULES),))]
)
"""What is kept of a watched work: its numbers, which rules are raised, and how often they were in
this episode."""

_NOBODY: Final = -1
_URGENCIES: Final = tuple(Urgency)


class Guidance:
    """The rules, how they stand, and what they say.

    Args:
        parameters: The budget and the length of a bucket.
        roll_up: Works and videos.
        voices: What is said in works.
        integrity: Which of them are suspected to be pushed.
        alerts: Where guidance is written down.
    """

    def __init__(
        self,
        parameters: Parameters,
        roll_up: RollUp,
        voices: WorkVoices,
        integrity: WorkIntegrity,
        alerts: AlertWriter,
    ) -> None:
        self._parameters = parameters
        self._roll_up = roll_up
        self._voices = voices
        self._integrity = integrity
        self._alerts = alerts
        self._rows = _nothing(1)
        self._watched: Ints = np.zeros(0, np.int64)
        self._creations: list[tuple[str, str, int, str]] = []
        self._roles_are_told = False
        self._day = _NOBODY
        self._told_today = 0
        self._homogenisation: dict[str, Homogenisation | None] = {}

    # -- what happens -------------------------------------------------------------------------

    def transition(self, tracked: TrackedVideo, transition: Mapping[str, Any]) -> None:
        """Take in that a video has entered a stage, after its works have."""
        time_ms, stage = int(transition["time_ms"]), Stage[transition["stage"].upper()]
        deep = stage >= Stage.INTERACTION and transition["route"] == Route.IDENTIFICATION
        numbers = self._roll_up.tracked.rows[tracked.slot]
        deep = deep and bool(tracked.source) and not numbers["deep"]
        numbers["deep"] |= deep
        for work in self._roll_up.works_of(tracked):
            row = self._row_of(work)
            if stage == Stage.INTERACTION and not row["interaction_ms"]:
                row["interaction_ms"] = time_ms
            if transition["signal"] == Signal.EXCLUSION.name.lower():
                row["excluded_ms"] = max(row["excluded_ms"], time_ms)
            made_from_it = self._roll_up.tracked.is_made_within(tracked, work.work_id)
            if deep and made_from_it and len(self._creations) < MOST_WAITING:
                self._creations.append((work.work_id, tracked.video, time_ms, stage.name.lower()))

    def _row_of(self, work: Work) -> np.void:
        """Return what is kept of a work in the episode at hand."""
        self._reserve(work.slot)
        row: np.void = self._rows[work.slot]
        if row["slot"] != work.slot or row["episode"] != work.number("episode"):
            told = row["roles_told"] if row["slot"] == work.slot else 0
            self._rows[work.slot] = _nothing(1)[0]
            row["slot"], row["episode"] = work.slot, work.number("episode")
            row["acted_before"], row["roles_told"] = work.row["acted"], told
        return row

    def _reserve(self, slot: int) -> None:
        while slot >= len(self._rows):
            self._rows = np.concatenate([self._rows, _nothing(len(self._rows))])

    # -- a look -------------------------------------------------------------------------------

    def look(self, bucket: int) -> None:
        """Look at all works worth it, before a bucket, and say what there is to say."""
        works = self._roll_up.works
        used = works.rows[: len(works.by_slot)]
        if not self._roles_are_told:
            self._roles_are_told = bool((used["roles"] & ELITE_MASK).any())
        slots = self._slots_to_watch(used, bucket)
        if not np.array_equal(self._watched, slots):
            self._rows[np.setdiff1d(self._watched, slots)] = _nothing(1)[0]
            self._watched = slots
        if not len(slots):
            self._creations.clear()
            self._homogenisation.clear()
            return
        watched = [work for slot in slots.tolist() if (work := works.by_slot[slot]) is not None]
        for work in watched:
            self._row_of(work)
        looked = self._looked(watched, used[slots], bucket)
        self._judge(watched, looked)
        self._take_entries(watched, looked)
        self._take_comments(watched, looked)
        self._take_symbols(watched, looked)
        self._rows[slots] = looked.guided
        self._take_creations(looked.now_ms)

    def _slots_to_watch(self, used: Rows, bucket: int) -> Ints:
        """Return int64[n], the slots of works to watch, in order."""
        worth, merged = noteworthy(used), self._roll_up.merged
        worth[merged.slots()] = noteworthy(merged.rows(merged.slots()))
        slots = self._of_one_name(np.flatnonzero(worth))
        if len(slots) > MOST_WATCHED:
            heats = heat_at(used[slots], bucket - 1, self._parameters.bucket_ms)
            by_slot = self._roll_up.works.by_slot
            ids = np.array([work.work_id if (work := by_slot[s]) else "" for s in slots.tolist()])
            slots = np.sort(slots[np.lexsort((ids, -heats))[:MOST_WATCHED]])
        return slots

    def _of_one_name(self, slots: Ints) -> Ints:
        """Return the slots without topics that go by the name of another (models/topic_merges)."""
        merges, works = self._roll_up.merges, self._roll_up.works
        others = [
            work.slot
            for name in merges.names
            if (work := works.by_id.get(name)) is not None and not merges.leads(work)
        ]
        return np.setdiff1d(slots, others) if others else slots

    def _looked(self, watched: list[Work], rows: Rows, bucket: int) -> Looked:
        """Bring what is kept of the watched forward to a look."""
        bucket_ms = self._parameters.bucket_ms
        guided = self._rows[[work.slot for work in watched]]
        keep = 0.5 ** (look_buckets(self._parameters) * bucket_ms / ACTIVITY_HALF_LIFE_MS)
        guided["acted_recent"] *= keep
        guided["acted_recent"] += rows["acted"] - guided["acted_before"]
        guided["acted_before"] = rows["acted"]
        return Looked(
            works=rows,
            guided=guided,
            heat_share=heat_at(rows, bucket - 1, bucket_ms) / np.maximum(rows["peak_heat"], 1e-9),
            homogenisation=self._homogenisation_of(watched),
            now_ms=bucket * bucket_ms - 1,
            roles_are_told=self._roles_are_told,
        )

    def _homogenisation_of(self, watched: list[Work]) -> list[Homogenisation | None]:
        """Return what the derivatives of each are like, worked out anew where there are others."""
        tracked, known = self._roll_up.tracked, self._homogenisation
        changed = tracked.derivatives.take_changed()
        self._homogenisation = {
            work.work_id: known[work.work_id]
            if work.work_id in known and work.work_id not in changed
            else homogenisation_of(tracked.derivatives_of(work.work_id, 2 * LATEST))
            for work in watched
        }
        return [self._homogenisation[work.work_id] for work in watched]

    def _judge(self, watched: list[Work], looked: Looked) -> None:
        """Arm rules that are over, and raise those that hold: the most urgent first, then by id."""
        guided, to_tell = looked.guided, []
        for number, rule in enumerate(RULES):
            holds, over = rule.judge(looked)
            guided["raised"][:, number] &= ~over
            for at in np.flatnonzero(holds & ~guided["raised"][:, number]).tolist():
                urgency = rule.urgency(looked, at)
                order = (_URGENCIES.index(urgency), watched[at].work_id, number)
                to_tell.append((order, at, urgency))
        for (_, _, number), at, urgency in sorted(to_tell):
            rule = RULES[number]
            if not self._has_room(looked.now_ms):
                break
            guided["raised"][at, number] = True
            guided["times"][at, number] += 1
            if rule.type == AlertType.NEGATIVE_VALUE_SURGE:
                guided["excluded_told_ms"][at] = guided["excluded_ms"][at]
            self._tell(
                rule.type,
                watched[at],
                looked.now_ms,
                str(guided["times"][at, number]),
                self._said(rule.reason, rule.level, urgency, rule.suggestion)
                | {"figures": rule.figures(looked, at)},
            )

    def _take_entries(self, watched: list[Work], looked: Looked) -> None:
        """Tell of elites that have entered a work in this episode."""
        fresh = looked.works["roles"] & ~looked.guided["roles_told"] & ELITE_MASK
        found = np.flatnonzero(fresh).tolist()
        for at in sorted(found, key=lambda at: watched[at].work_id):
            row = looked.works[at]
            for code in ELITE_CODES:
                time_ms = int(row["role_ms"][code])
                if not fresh[at] >> code & 1 or time_ms < row["episode_ms"]:
                    continue
                if not self._has_room(looked.now_ms):
                    return
                looked.guided["roles_told"][at] |= 1 << code
                said = self._said(
                    GuidanceReason.ROLE_ENTERED,
                    GuidanceLevel.INTERACTION,
                    Urgency.LOW,
                    ENTRY_SUGGESTION,
                )
                role = ROLES[code].value
                said |= {"role": role, "figures": {"after_ms": time_ms - int(row["episode_ms"])}}
                self._tell(AlertType.ELITE_ENTRY, watched[at], time_ms, role, said)

    def _take_comments(self, watched: list[Work], looked: Looked) -> None:
        """Tell the comments worth highlighting of works that are discussed, once an episode.

        None of a work that is suspected to be pushed: who likes what there is not known.
        """
        asked = (looked.guided["interaction_ms"] > 0) & ~looked.guided["comments_told"]
        for at in sorted(np.flatnonzero(asked).tolist(), key=lambda at: watched[at].work_id):
            comments = self._voices.best_comments(watched[at].work_id)
            suspected = self._integrity.suspects(watched[at].work_id)
            if suspected or len(comments) < HIGHLIGHTS_TOLD:
                continue
            if not self._has_room(looked.now_ms):
                return
            looked.guided["comments_told"][at] = True
            said = self._said(
                GuidanceReason.COMMENTS_TAKEN_UP,
                GuidanceLevel.INTERACTION,
                Urgency.LOW,
                COMMENTS_SUGGESTION,
            )
            said |= {"comments": comments, "figures": {"comments": len(comments)}}
            kind = AlertType.QUALITY_COMMENTS
            under = [video_key(one["platform"], one["video_id"]) for one in comments]
            self._tell(kind, watched[at], looked.now_ms, "comments", said, under)

    def _take_symbols(self, watched: list[Work], looked: Looked) -> None:
        """Tell the symbols that emerge where people feel for a work in discussion, once an episode.

        None of a work that is suspected to be pushed: who says what there is not known.
        """
        asked = (looked.guided["interaction_ms"] > 0) & ~looked.guided["symbols_told"]
        for at in sorted(np.flatnonzero(asked).tolist(), key=lambda at: watched[at].work_id):
            work_id = watched[at].work_id
            felt = self._voices.felt_symbols(work_id, looked.now_ms)
            if not felt or self._integrity.suspects(work_id):
                continue
            if not self._has_room(looked.now_ms):
                return
            looked.guided["symbols_told"][at] = True
            said = self._said(
                GuidanceReason.SYMBOLS_WITH_RESONANCE,
                GuidanceLevel.CREATIVE,
                Urgency.LOW,
                SYMBOLS_SUGGESTION,
            )
            kind = AlertType.RESONANT_SYMBOLS
            self._tell(kind, watched[at], looked.now_ms, "symbols", said | felt)

    def _take_creations(self, now_ms: int) -> None:
        """Tell of original derivatives that went deep since the last look."""
        waiting, self._creations = sorted(self._creations), []
        for number, (work_id, video, time_ms, stage) in enumerate(waiting):
            work = self._roll_up.works.by_id.get(work_id)
            tracked = self._roll_up.tracked.get(video)
            if work is None or tracked is None or work.slot not in self._watched:
                continue
            row = self._rows[work.slot]
            if row["creations_told"] >= MOST_CREATIONS:
                continue
            made = self._roll_up.tracked.derivatives_of(work_id, 2 * LATEST)
            if is_near_copy(tracked, [one for one in made if one.video != video]):
                continue
            if not self._has_room(now_ms):
                self._creations = waiting[number:]
                return
            row["creations_told"] += 1
            said = self._said(
                GuidanceReason.ORIGINAL_DERIVATIVE_GOES_DEEP,
                GuidanceLevel.DISSEMINATION,
                Urgency.LOW,
                CREATION_SUGGESTION,
            )
            said["figures"] = {
                "derivative": shown(video),
                "title": tracked.title,
                "creator_id": tracked.creator_id,
                "stage": stage,
                "views": int(self._roll_up.tracked.rows["views"][tracked.slot]),
                "compared_with": len(made),
            }
            self._tell(AlertType.DEEP_CREATION, work, time_ms, shown(video), said, [video])

    # -- what is said -------------------------------------------------------------------------

    def _has_room(self, now_ms: int) -> bool:
        """Tell whether one more may be told in the day at hand."""
        day, per_day = now_ms // DAY_MS, self._parameters.alerts_per_day
        if day != self._day:
            self._day, self._told_today = day, 0
        return not per_day or self._told_today < per_day

    @staticmethod
    def _said(
        reason: GuidanceReason, level: GuidanceLevel, urgency: Urgency, suggestion: str
    ) -> dict[str, Any]:
        return {
            "reason": reason,
            "guidance_level": level,
            "urgency": urgency,
            "suggestion": suggestion,
        }

    def _tell(
        self,
        kind: AlertType,
        work: Work,
        time_ms: int,
        occurrence: str,
        said: dict[str, Any],
        recommended: Sequence[str] = (),
    ) -> None:
        self._told_today += 1
        self._alerts.guidance(kind, work, time_ms, occurrence, said, recommended)

    # -- the changelog ------------------------------------------------------------------------

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Return keys and values of all that is known."""
        kept = self._rows[self._rows["slot"] >= 0]
        rest = {
            "watched": self._watched.tolist(),
            "creations": self._creations,
            "roles_are_told": self._roles_are_told,
            "day": self._day,
            "told_today": self._told_today,
        }
        return [
            (_ROWS, kept.tobytes()),
            (_REST, json.dumps(rest, ensure_ascii=False).encode()),
        ]

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of `rows`.

        Raises:
            ValueError: The key is of no kind that is known.
        """
        if key == _ROWS:
            kept = np.frombuffer(value, GUIDED)
            if len(kept):
                self._reserve(int(kept["slot"].max()))
            self._rows[kept["slot"]] = kept
        elif key == _REST:
            rest = json.loads(value)
            self._watched = np.array(rest["watched"], np.int64)
            self._creations = [tuple(one) for one in rest["creations"]]
            self._roles_are_told = rest["roles_are_told"]
            self._day, self._told_today = rest["day"], rest["told_today"]
            if len(self._watched):
                self._reserve(int(self._watched.max()))
        else:
            raise ValueError(f"unknown key {key!r}")


def _nothing(count: int) -> Rows:
    """Return GUIDED[count] of nothing."""
    rows = np.zeros(count, GUIDED)
    rows["slot"] = _NOBODY
    return rows
