"""What comments say in the same words: hashtags, words, and runs of Chinese characters.

Chinese is not parted into words, and what emerges in a comment section (names, catchphrases) is in
no dictionary, so every run of two to six characters counts as a phrase, and a run that only occurs
inside a longer one gives way to it. A phrase counts once in a comment, and once for a person: a
hundred 哈哈 of one person are one.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from models.comment_sample import CommentSample

RUN_MIN: Final = 2
RUN_MAX: Final = 6
"""Chinese words have two to four characters as a rule (idioms four); six hold the phrases that
become symbols, such as 永远的神 or 逃出大英博物馆, whose parts of six still point to it."""

PEOPLE_MIN: Final = 3
"""Fewer people who say the same in a sample of 32 say nothing of the others: with one comment in
a hundred the chance of three is 0.4 %."""

PHRASES_TOLD: Final = 16
"""How many phrases of a visit are told."""

_WEIBO_TAG: Final = re.compile(r"[#＃]([^#＃\n]{2,32})[#＃]")
_TAG: Final = re.compile(r"[#＃]([\w\u4e00-\u9fff]{2,32})")
_RUNS: Final = re.compile(r"[\u4e00-\u9fff]{2,}")
_WORDS: Final = re.compile(r"[a-z][a-z0-9']{2,}")
# fmt: off
_PLAIN: Final = frozenset(
    (
        "the", "and", "for", "you", "are", "was", "were", "this", "that", "with", "have", "has",
        "had", "not", "but", "all", "can", "will", "just", "his", "her", "she", "him", "they",
        "them", "their", "there", "here", "what", "when", "who", "how", "why", "where", "which",
        "from", "your", "our", "out", "about", "than", "then", "too", "very", "some", "any",
        "its", "it's", "i'm", "i've", "don't", "didn't", "into", "over", "more", "most", "one",
        "get", "got", "did", "does", "been", "being", "would", "could", "should", "because",
        "like", "really", "also", "only", "even", "still", "now",
    )
)
# fmt: on
"""What everybody says of everything: function words, which no test needs to look at."""

_EDGES: Final = frozenset(
    "的了着过是在和与也都就还很太这那我你他她它们个吗呢吧啊呀哦嘛么不没有会要把被让给对从到以为之而且或"
)
"""A run that begins or ends with one of these is a piece of a sentence, no phrase."""


def phrases_in(sample: CommentSample) -> dict[str, int]:
    """Return the PHRASES_TOLD phrases that most people use in a sample, and how many people do.

    Phrases are `#tag`, lower-case words, and runs of Chinese characters. A person is a known actor;
    comments whose writer is unknown count one each, but the same text twice counts once.
    """
    said: dict[str, set[object]] = {}
    runs: dict[str, set[object]] = {}
    for comment in sample:
        who: object = comment.actor or comment.text
        whole, found = _read(comment.text.lower())
        for phrase in whole:
            said.setdefault(phrase, set()).add(who)
        for run in found:
            runs.setdefault(run, set()).add(who)
    pairs: dict[str, set[object]] = {}
    for run, people in runs.items():
        for pair in {run[at : at + 2] for at in range(len(run) - 1)}:
            pairs[pair] = pairs[pair] | people if pair in pairs else people
    # What several people say holds only pairs that as many say: nearly all of a run says nobody
    # else, and its pieces, some five a character, need not be looked at.
    shared = {pair for pair, people in pairs.items() if len(people) >= PEOPLE_MIN}
    for run, people in runs.items():
        for piece in _pieces_of(run, shared):
            said[piece] = said[piece] | people if piece in said else people
    counts = {phrase: len(people) for phrase, people in said.items() if len(people) >= PEOPLE_MIN}
    return most_of(without_parts(counts), PHRASES_TOLD)


def _read(lowered: str) -> tuple[set[str], list[str]]:
    """Return tags and words of a text, and its runs of Chinese characters."""
    found: set[str] = set()
    if "#" in lowered or "＃" in lowered:
        found.update(f"#{tag.strip()}" for tag in _WEIBO_TAG.findall(lowered))
        lowered = _WEIBO_TAG.sub(" ", lowered)
        found.update(f"#{tag}" for tag in _TAG.findall(lowered))
        lowered = _TAG.sub(" ", lowered)
    found.update(word for word in _WORDS.findall(lowered) if word not in _PLAIN)
    return found, _RUNS.findall(lowered)


def _pieces_of(run: str, shared: AbstractSet[str]) -> set[str]:
    """Return the pieces of a run whose pairs of characters are all among some pairs."""
    pieces: set[str] = set()
    for at in range(len(run) - 1):
        if run[at] in _EDGES:
            continue
        for end in range(at + RUN_MIN, min(at + RUN_MAX, len(run)) + 1):
            if run[end - 2 : end] not in shared:
                break
            if run[end - 1] not in _EDGES:
                pieces.add(run[at:end])
    return {piece for piece in pieces if len(set(piece)) > 1}


def without_parts(counts: Mapping[str, int]) -> dict[str, int]:
    """Drop each phrase that stands inside a longer one that as many use."""
    by_length = sorted(counts, key=lambda phrase: (-len(phrase), phrase))
    kept: list[str] = []
    for phrase in by_length:
        if not any(phrase in longer and counts[longer] >= counts[phrase] for longer in kept):
            kept.append(phrase)
    return {phrase: counts[phrase] for phrase in kept}


def most_of(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """Return the greatest counts, ties by name."""
    order = sorted(counts, key=lambda phrase: (-counts[phrase], phrase))
    return {phrase: counts[phrase] for phrase in order[:most]}


def people_in(sample: CommentSample) -> int:
    """Return how many people a sample holds comments of, counted as `phrases_in` does."""
    return len({comment.actor or comment.text for comment in sample})
