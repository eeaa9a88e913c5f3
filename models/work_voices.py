"""What is said in each work: how people feel, which symbols emerge, which comments stand out.

It adds up what `stages` told of the visits of a work's videos (models/voices.py). A highlighted
comment is kept, with its text, only while it is among the best.
"""

import json
import math
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final

from models.feelings import POSITIVE, Feelings
from models.highlights import HIGHLIGHTS_TOLD, Candidate, best_of
from models.identity import split_video_key
from models.parameters import HOUR_MS
from models.phrase_counts import PhraseCounts
from models.symbols import WorkSymbols

WORKS_HEARD_MAX: Final = 4_096
"""Works listened to at once (up to 10 KB each); those that were silent longest give way, a quarter
at a time."""

EVERYWHERE_ROOM: Final = 8_192
"""Phrases kept of all works together."""

VIDEOS_HIGHLIGHTED_MAX: Final = 8
"""Videos of a work whose highlighted comments are kept: those with the best ones."""

PREFIX: Final = b"voices/"
"""Of its keys in the changelog."""

_EVERYWHERE: Final = b"voices/"
_OF_WORK: Final = b"voices/w/"


class WorkVoice:
    """What is said in one work.

    Attributes:
        bucket: When something was last said.
        feelings: Of all who spoke.
        symbols: What they said.
        highlights: By video, its comments that stand out.
    """

    __slots__ = ("bucket", "feelings", "highlights", "symbols")

    def __init__(self) -> None:
        self.bucket = -1
        self.feelings = Feelings()
        self.symbols = WorkSymbols()
        self.highlights: dict[str, list[Candidate]] = {}

    def take(self, video: str, said: Mapping[str, Any], bucket: int, bucket_ms: int) -> None:
        """Take in what was told of a visit of one of its videos, with a row of this bucket."""
        self.bucket = bucket
        if "feelings" in said:
            self.feelings.merge(Feelings(*said["feelings"]))
            hour = bucket * bucket_ms // HOUR_MS
            self.symbols.add(hour, said["phrases"], said["people"])
        if "highlights" in said:
            self._highlight(video, [Candidate(*one) for one in said["highlights"]])

    def _highlight(self, video: str, candidates: list[Candidate]) -> None:
        self.highlights.pop(video, None)
        if candidates:
            self.highlights[video] = candidates
        if len(self.highlights) > VIDEOS_HIGHLIGHTED_MAX:
            merit = {key: best_of(some, 1)[0].merit for key, some in self.highlights.items()}
            del self.highlights[min(merit, key=lambda key: (merit[key], key))]

    def best_comments(self) -> list[dict[str, Any]]:
        """Return the comments worth highlighting, the best first: ids, texts, and why."""
        videos = {
            one.priority: video
            for video in sorted(self.highlights)
            for one in self.highlights[video]
        }
        best = best_of((one for some in self.highlights.values() for one in some), HIGHLIGHTS_TOLD)
        return [_shown(one, videos[one.priority]) for one in best]

    def to_bytes(self) -> bytes:
        """Return what `of_bytes` takes."""
        highlights = {
            video: [one.to_list() for one in self.highlights[video]]
            for video in sorted(self.highlights)
        }
        stored = [self.bucket, self.feelings.to_list(), self.symbols.to_list(), highlights]
        return json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def of_bytes(cls, stored: bytes) -> "WorkVoice":
        """Return what `to_bytes` gave.

        Raises:
            ValueError: It is damaged.
        """
        made = cls()
        made.bucket, feelings, symbols, highlights = json.loads(stored)
        made.feelings = Feelings(*feelings)
        made.symbols = WorkSymbols.of(symbols)
        made.highlights = {
            video: [Candidate(*one) for one in some] for video, some in highlights.items()
        }
        return made


def _shown(one: Candidate, video: str) -> dict[str, Any]:
    platform, video_id = split_video_key(video)
    return {
        "comment_id": one.comment_id,
        "platform": platform,
        "video_id": video_id,
        "text": one.text,
        "likes": one.likes,
        "replies": one.replies,
        "polarity": one.polarity,
        "reasoned": one.reasoned,
    }


class WorkVoices:
    """The voices of all works, and what is said everywhere.

    Args:
        bucket_ms: Length of a bucket.
    """

    def __init__(self, bucket_ms: int) -> None:
        self._bucket_ms = bucket_ms
        self._of: dict[str, WorkVoice] = {}
        self._everywhere = PhraseCounts(EVERYWHERE_ROOM)
        self._changed: set[str] = set()

    def take(self, video: str, works: list[str], said: Mapping[str, Any], bucket: int) -> None:
        """Take in what was told of a visit of a video that counts for some works."""
        if "phrases" in said:
            self._everywhere.add(said["phrases"], said["people"])
        for work_id in works:
            voice = self._of.setdefault(work_id, WorkVoice())
            voice.take(video, said, bucket, self._bucket_ms)
            self._changed.add(work_id)
        if len(self._of) > WORKS_HEARD_MAX + WORKS_HEARD_MAX // 4:
            order = sorted(self._of, key=lambda work_id: (self._of[work_id].bucket, work_id))
            self._forget(order[: len(order) - WORKS_HEARD_MAX])

    def forget_all_but(self, works: Container[str]) -> None:
        """Forget works that are no longer among these."""
        self._forget([work_id for work_id in self._of if work_id not in works])

    def _forget(self, works: list[str]) -> None:
        for work_id in works:
            del self._of[work_id]
            self._changed.add(work_id)

    # -- what is said -------------------------------------------------------------------------

    def resonance(self, work_id: str) -> dict[str, Any]:
        """Return `resonance` and `symbols` of a work for an alert, each where it is known."""
        voice = self._of.get(work_id)
        if voice is None:
            return {}
        said: dict[str, Any] = {}
        if felt := voice.feelings.figures():
            said["resonance"] = felt
        if emerging := voice.symbols.emerging(self._everywhere):
            said["symbols"] = emerging
        return said

    def felt_symbols(self, work_id: str, now_ms: int) -> dict[str, Any]:
        """Return the symbols that emerge in a work over which people feel; nothing elsewhere.

        Those who comment must feel for it (feelings.POSITIVE), and more so than people do for all
        other works, with 95 % confidence; and the hour of the symbols must be the one at hand, or
        that before it.

        Returns:
            `symbols`, and `figures`: `polarity`, what it is at least, what it is over all other
            works at most, and how many were judged.
        """
        voice = self._of.get(work_id)
        if voice is None or voice.symbols.hour < now_ms // HOUR_MS - 1:
            return {}
        least = voice.feelings.polarity_bounds()[0]
        symbols = voice.symbols.emerging(self._everywhere) if least > POSITIVE else []
        elsewhere = self._felt_elsewhere(work_id).polarity_bounds()[1] if symbols else 1.0
        if least <= elsewhere:
            return {}
        felt = voice.feelings.figures()
        figures = {
            "symbols": len(symbols),
            "polarity": felt["polarity"],
            "polarity_at_least": round(least, 3),
            "polarity_elsewhere_at_most": round(elsewhere, 3),
            "judged": felt["judged"],
        }
        return {"symbols": symbols, "figures": figures}

    def _felt_elsewhere(self, work_id: str) -> Feelings:
        """Return how people feel about all other works: sums that no order of works changes."""
        others = [voice.feelings for other, voice in self._of.items() if other != work_id]
        columns = zip(*(felt.to_list() for felt in others), strict=True)
        return Feelings(*map(math.fsum, columns))

    def best_comments(self, work_id: str) -> list[dict[str, Any]]:
        """Return the comments of a work that are worth highlighting, the best first."""
        voice = self._of.get(work_id)
        return [] if voice is None else voice.best_comments()

    # -- the changelog ------------------------------------------------------------------------

    def rows(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield keys and values of what changed since the last call."""
        if self._changed:
            stored = json.dumps(self._everywhere.to_list(), ensure_ascii=False)
            yield _EVERYWHERE, stored.encode()
        for work_id in sorted(self._changed):
            voice = self._of.get(work_id)
            yield _OF_WORK + work_id.encode(), None if voice is None else voice.to_bytes()
        self._changed.clear()

    def load(self, key: bytes, value: bytes) -> None:
        """Take back one of `rows`.

        Raises:
            ValueError: It is damaged.
        """
        if key == _EVERYWHERE:
            self._everywhere = PhraseCounts.of(json.loads(value), EVERYWHERE_ROOM)
        else:
            self._of[key[len(_OF_WORK) :].decode()] = WorkVoice.of_bytes(value)
