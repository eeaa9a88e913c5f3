"""Topics that are one work under several names: found by evidence, said as one, undone without it.

Merged topics stay works of their own, with their own numbers: what they come to together is worked
out from these (models/merged_works.py). One of the names is told for all of them
(models/work_judging.py), a board shows one line, alerts say by which other names the work goes and
why (`also_known_as`). So a merge that is undone leaves nothing to be mended.

Three kinds of evidence are looked at, among the hottest topics:

- *name*: the same one written differently, or one that is alike (models/topic_names.py);
- *co-occurrence*: of the creators who use either name, those who use both on one video;
- *derivation*: of the creators who made something under one of the names from a video under one of
  them, those with whom both names are in play: the work is passed on under another name.

Names that are the same are merged. Otherwise co-occurrence and one more kind are asked for: names
that are merely alike are different works as a rule (docs/topics.md), and two names that go together
may be a film and its star. A share speaks for a merge when its interval (Wilson 1927) lies above a
half, and no longer when it lies below it: what is between changes nothing. Creators are counted,
not videos, so that nobody alone can make one work of two.

What an operator splits stays two for ever. A split comes in at some place of the log, as an action
does (models/measured_actions.py), and holds from the first look that lies behind that and its time.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from models.guidance_actions import GuidanceAction
from models.homogenisation import MAJORITY, wilson_interval
from models.name_shares import MOST_NAMES, WHOLE, NameShare, shares_of
from models.parameters import DAY_MS, Parameters
from models.topic_names import are_alike, normalised
from models.tracked_videos import TrackedVideo, TrackedVideos, creator_key
from models.work_table import WorkTable
from models.works import TOPIC, Work, heat_at

Ints = npt.NDArray[np.int64]

MOST_COMPARED: Final = 256
"""Topics that are compared at a look, the hottest: what there is to say of is among them, and what
there soon will be."""

RECENT_MS: Final = 7 * DAY_MS
"""Videos without activity for so long are no evidence any more: a week, so that weekdays and
weekends weigh alike."""

LEAST_CREATORS: Final = 10
"""Fewer creators are no evidence: of nine, all but one would have to agree for the interval to lie
above a half, and nine friends do."""

MOST_LOOKED_AT: Final = 2_048
"""Videos of a pair that are looked at, those published last."""

MOST_PAIRS: Final = 128
"""Pairs that are looked at closely, those with most videos in common first."""

MOST_SPLITS: Final = 16_384
"""Splits that are remembered; further ones are not taken, for an operator's word holds for ever."""

PREFIX: Final = b"names"
"""Of its keys in the changelog."""

_SPLIT: Final = PREFIX + b"/"

_PAIR: Final = 2


class MergeReason(StrEnum):
    """Why two topics are one work: the closed set."""

    SAME_NAME = "same_name_written_differently"
    ALIKE_AND_CO_OCCURRING = "names_alike_and_used_together"
    DERIVED_AND_CO_OCCURRING = "used_together_and_passed_on_by_either_name"


WORDS: Final = {
    MergeReason.SAME_NAME: "the names differ only in how they are written",
    MergeReason.ALIKE_AND_CO_OCCURRING: (
        "the names are alike, and most creators who use either use both on one video"
    ),
    MergeReason.DERIVED_AND_CO_OCCURRING: (
        "most creators who use either name use both on one video, and what is made from videos "
        "under one is named by the other"
    ),
}
"""The reasons, in words."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some creators there are with whom something holds."""

    found: int
    of: int

    @property
    def speaks_for(self) -> bool:
        """Whether its interval lies above a half."""
        return self.of >= LEAST_CREATORS and wilson_interval(self.found, self.of)[0] > MAJORITY

    @property
    def may_stay(self) -> bool:
        """Whether its interval does not lie below a half, and there is anybody enough."""
        return self.of >= LEAST_CREATORS and wilson_interval(self.found, self.of)[1] >= MAJORITY


@dataclass(frozen=True, slots=True)
class Merge:
    """Two topics that are one work.

    Attributes:
        one, other: Ids of the works, in alphabetical order.
        since_ms: Event time of the look that found it.
        reason: Of `MergeReason`.
        co_occurrence: Creators who use both names on one video, and who use either.
        derivation: Creators with whom both names are in play, and who derived.
    """

    one: str
    other: str
    since_ms: int
    reason: str
    co_occurrence: tuple[int, int]
    derivation: tuple[int, int]

    @property
    def merge_id(self) -> str:
        """What the merge is called: derived from what happened."""
        said = f"{self.one}\x1f{self.other}\x1f{self.since_ms}"
        return sha256(said.encode()).hexdigest()[:16]

    def figures(self) -> dict[str, Any]:
        """Return it for people, JSON-ready."""
        return {
            "merge_id": self.merge_id,
            "since_ms": self.since_ms,
            "reason": self.reason,
            "why": WORDS[MergeReason(self.reason)],
            "co_occurrence": list(self.co_occurrence),
            "derivation": list(self.derivation),
        }


class TopicMerges:
    """Which topics are one work at present.

    Args:
        parameters: The length of a bucket.
        works: All works.
        tracked: All videos.
    """

    def __init__(self, parameters: Parameters, works: WorkTable, tracked: TrackedVideos) -> None:
        self._bucket_ms = parameters.bucket_ms
        self._works = works
        self._tracked = tracked
        self._merges: dict[tuple[str, str], Merge] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._shares: dict[str, NameShare] = {}
        self._splits: dict[tuple[str, str], tuple[int, int]] = {}
        self._new_splits: set[tuple[str, str]] = set()
        self._apart: set[tuple[str, str]] = set()

    def __len__(self) -> int:
        """Return the number of merges."""
        return len(self._merges)

    def __iter__(self) -> Iterator[Merge]:
        """Yield the merges, by the names of their topics."""
        return (self._merges[pair] for pair in sorted(self._merges))

    @property
    def names(self) -> list[str]:
        """Ids of the topics that are one work with others, in alphabetical order."""
        return sorted(self._names)

    # -- what is one work ---------------------------------------------------------------------

    def others(self, work_id: str) -> list[Work]:
        """Return the other topics that are one work with a topic, by id."""
        by_id = self._works.by_id
        return [by_id[name] for name in self._names.get(work_id, ()) if name in by_id]

    def share_of(self, work_id: str) -> NameShare:
        """Return which share of a topic's figures counts for the work, as of the last look."""
        return self._shares.get(work_id, WHOLE)

    def leads(self, work: Work) -> bool:
        """Tell whether a work is the one that began first of those it is one with and that live."""
        began = (work.number("first_ms"), work.work_id)
        return all(
            other.row["resting"] or began < (other.number("first_ms"), other.work_id)
            for other in self.others(work.work_id)
        )

    def also_known_as(self, work_id: str) -> list[dict[str, Any]]:
        """Return by which other names a work goes, and why, JSON-ready."""
        said = []
        for other in self.others(work_id):
            known = self._merges.get((min(work_id, other.work_id), max(work_id, other.work_id)))
            # Two names may be one work by a third.
            why = known.figures() if known is not None else {"reason": "through_another_name"}
            said.append({"topic": other.title} | why)
        return said

    def split(self, action: GuidanceAction, through_bucket: int) -> None:
        """Take in that two topics are never to be one work; told again, it changes nothing.

        Args:
            action: On a topic, with `split_from`.
            through_bucket: Up to this one everything was told before it in the log.
        """
        one, other = sorted((action.subject, f"{TOPIC}:{action.split_from}"))
        if (one, other) not in self._splits and len(self._splits) < MOST_SPLITS:
            self._splits[one, other] = (action.taken_at_ms, through_bucket)
            self._new_splits.add((one, other))

    # -- a look -------------------------------------------------------------------------------

    def look(self, bucket: int) -> list[str]:
        """Merge what is one work, and part what is no longer, before a bucket.

        Returns:
            Ids of the topics that are parted from one they were one work with.
        """
        before = self._names
        compared = self._compared(bucket)
        used = self._used(compared, bucket - RECENT_MS // self._bucket_ms)
        names = [normalised(work.title) for work in compared]
        self._apart = {
            pair
            for pair, (taken_at_ms, through) in self._splits.items()
            if max(taken_at_ms // self._bucket_ms, through + 1) < bucket
        }
        merges: dict[tuple[str, str], Merge] = {}
        for first, second in self._suspected(compared, names, used):
            one, other = compared[first], compared[second]
            pair = (one.work_id, other.work_id)
            if pair in self._apart:
                continue
            known = self._merges.get(pair)
            videos = self._videos(np.union1d(used[first], used[second]))
            topics = (one.title, other.title)
            together, derived = _together(videos, topics), self._derived(videos, topics)
            reason = _reason(names[first], names[second], together, derived, known=bool(known))
            if reason is not None:
                since_ms = known.since_ms if known else bucket * self._bucket_ms
                shares = (together.found, together.of), (derived.found, derived.of)
                merges[pair] = Merge(*pair, since_ms, reason.value, *shares)
        self._put(merges)
        groups = {tuple(sorted((name, *others))) for name, others in self._names.items()}
        self._shares = shares_of(sorted(groups), self._tracked)
        return sorted(name for name in before if set(before[name]) - set(self._names.get(name, ())))

    def _compared(self, bucket: int) -> list[Work]:
        """Return the topics to compare, by id."""
        used = self._works.rows[: len(self._works.by_slot)]
        slots = np.flatnonzero(used["topical"] & ~used["resting"])
        heats = heat_at(used[slots], bucket - 1, self._bucket_ms)
        if len(slots) > MOST_COMPARED:
            hot = heats >= np.partition(heats, -MOST_COMPARED)[-MOST_COMPARED]
            slots, heats = slots[hot], heats[hot]
        found = [
            (-heat, work.work_id, work)
            for slot, heat in zip(slots.tolist(), heats.tolist(), strict=True)
            if (work := self._works.by_slot[slot]) is not None
        ]
        found.sort(key=lambda one: one[:2])
        return sorted((work for _, _, work in found[:MOST_COMPARED]), key=lambda one: one.work_id)

    def _used(self, compared: list[Work], recent: int) -> list[Ints]:
        """Return of each work int64[n], the slots of its videos since a bucket, ascending."""
        if len(compared) < _PAIR:
            return []
        tracked, links = self._tracked, self._tracked.links
        numbers = np.full(len(links.work), len(compared), np.int64)
        numbers[[links.number_of[work.work_id] for work in compared]] = np.arange(len(compared))
        slots = np.flatnonzero(tracked.rows["last_bucket"][: len(tracked.by_slot)] >= recent)
        count = links.count[slots]
        runs = np.repeat(links.first[slots] - np.cumsum(count) + count, count)
        works = numbers[links.name[runs + np.arange(len(runs))]]
        order = np.argsort(works, kind="stable")
        ends = np.searchsorted(works[order], np.arange(len(compared)), "right")
        return np.split(np.repeat(slots, count)[order], ends)[: len(compared)]

    def _suspected(
        self, compared: list[Work], names: list[str], used: list[Ints]
    ) -> list[tuple[int, int]]:
        """Return the pairs worth a close look, by their positions, in order."""
        by_name: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            by_name.setdefault(name, []).append(number)
        same = {pair for name, found in by_name.items() if name for pair in combinations(found, 2)}
        number_of = {work.work_id: number for number, work in enumerate(compared)}
        merged = {
            (number_of[one], number_of[other])
            for one, other in self._merges
            if one in number_of and other in number_of
        }
        return sorted(same | merged | set(_in_common(used)))

    def _videos(self, slots: Ints) -> list[TrackedVideo]:
        """Return the videos in some slots, those published last."""
        by_slot = self._tracked.by_slot
        videos = [video for slot in slots.tolist() if (video := by_slot[slot]) is not None]
        if len(videos) > MOST_LOOKED_AT:
            videos.sort(key=lambda video: (-video.published_ms, video.video))
        return videos[:MOST_LOOKED_AT]

    def _derived(self, videos: Iterable[TrackedVideo], topics: tuple[str, str]) -> Share:
        """Return with how many of the creators who derived both names are in play."""
        crossing: dict[str, bool] = {}
        for video in videos:
            source = self._tracked.get(video.source) if video.source else None
            own = _named(video, topics)
            others = _named(source, topics) if source is not None else frozenset()
            if own and others:
                who = creator_key(video) or video.video
                crossing[who] = crossing.get(who, False) or len(own | others) == _PAIR
        return Share(sum(crossing.values()), len(crossing))

    def _put(self, merges: dict[tuple[str, str], Merge]) -> None:
        """Let these merges be in force, and find out what is one work by them."""
        self._merges = merges
        groups: dict[str, set[str]] = {}
        for one, other in sorted(merges):
            both = groups.get(one, {one}) | groups.get(other, {other})
            if len(both) <= MOST_NAMES and self._apart.isdisjoint(combinations(sorted(both), 2)):
                groups.update(dict.fromkeys(both, both))
        self._names = {name: tuple(sorted(both - {name})) for name, both in groups.items()}

    # -- the changelog ------------------------------------------------------------------------

    def take_told(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values of the splits that came since the last call."""
        for pair in sorted(self._new_splits):
            value = json.dumps([pair, self._splits[pair]], ensure_ascii=False)
            yield _SPLIT + "\x1f".join(pair).encode(), value.encode()
        self._new_splits.clear()

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Return key and value of the merges."""
        stored = [[asdict(merge) for merge in self], sorted(self._apart), self._shares]
        return [(PREFIX, json.dumps(stored, ensure_ascii=False).encode())]

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of `rows` or `take_told`.

        Raises:
            ValueError: The key is of no kind that is known.
        """
        if key.startswith(_SPLIT):
            (one, other), (taken_at_ms, through) = json.loads(value)
            self._splits[one, other] = (taken_at_ms, through)
            return
        if key != PREFIX:
            raise ValueError(f"unknown key {key!r}")
        merges, apart, shares = json.loads(value)
        self._shares = {name: NameShare(*share) for name, share in shares.items()}
        self._apart = {(one, other) for one, other in apart}
        stored = [
            Merge(**said | {name: tuple(said[name]) for name in ("co_occurrence", "derivation")})
            for said in merges
        ]
        self._put({(merge.one, merge.other): merge for merge in stored})


def _in_common(used: list[Ints]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of works with most videos in common, LEAST_CREATORS at least."""
    if not used:
        return
    slots = np.concatenate(used)
    works = np.repeat(np.arange(len(used)), [len(some) for some in used])
    shape = (int(slots.max(initial=0)) + 1, len(used))
    matrix = csr_array((np.ones(len(slots), np.int64), (slots, works)), shape=shape)
    shared = (matrix.T @ matrix).toarray()
    first, second = np.nonzero(np.triu(shared, 1) >= LEAST_CREATORS)
    order = np.lexsort((second, first, -shared[first, second]))[:MOST_PAIRS]
    yield from zip(first[order].tolist(), second[order].tolist(), strict=True)


def _named(video: TrackedVideo, topics: tuple[str, str]) -> frozenset[str]:
    """Return by which of two names a video goes itself."""
    return frozenset(topics) & frozenset(video.topics)


def _together(videos: Iterable[TrackedVideo], topics: tuple[str, str]) -> Share:
    """Return how many of the creators who use either name use both on one video."""
    both: dict[str, bool] = {}
    for video in videos:
        if own := _named(video, topics):
            who = creator_key(video) or video.video
            both[who] = both.get(who, False) or len(own) == _PAIR
    return Share(sum(both.values()), len(both))


def _reason(
    name: str, other_name: str, together: Share, derived: Share, *, known: bool
) -> MergeReason | None:
    """Return why two topics are one work, None where there is not evidence enough.

    Args:
        name: Normalised.
        other_name: Normalised.
        together: Of the creators who use either name, those who use both.
        derived: Of those who derived, those with whom both are in play.
        known: Whether they were one work at the last look: then what is between changes nothing.
    """
    if name and name == other_name:
        return MergeReason.SAME_NAME
    used_together, passed_on = (
        share.speaks_for or (known and share.may_stay) for share in (together, derived)
    )
    if used_together and are_alike(name, other_name):
        return MergeReason.ALIKE_AND_CO_OCCURRING
    return MergeReason.DERIVED_AND_CO_OCCURRING if used_together and passed_on else None
