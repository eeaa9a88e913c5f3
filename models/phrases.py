"""What comments say in the same words: hashtags, words, and runs of Chinese characters.

Chinese is not parted into words, and what emerges in a comment section (names, catchphrases) is in
no dictionary, so every run of two to six characters counts as a phrase, and a run that only occurs
inside a longer one gives way to it. A phrase counts once in a comment, and once for a person: a
hundred 哈哈 of one person are one.
"""

import re
from collections.abc import Mapping
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


def phrases_of(text: str) -> set[str]:
    """Return the phrases of one text: `#tag`, lower-case words, and runs of Chinese characters.

    >>> sorted(phrases_of("家书 #Museum"))
    ['#museum', '家书']
    """
    lowered = text.lower()
    found = {f"#{tag.strip()}" for tag in _WEIBO_TAG.findall(lowered)}
    rest = _WEIBO_TAG.sub(" ", lowered)
    found.update(f"#{tag}" for tag in _TAG.findall(rest))
    rest = _TAG.sub(" ", rest)
    found.update(word for word in _WORDS.findall(rest) if word not in _PLAIN)
    for run in _RUNS.findall(rest):
        for length in range(RUN_MIN, min(RUN_MAX, len(run)) + 1):
            for at in range(len(run) - length + 1):
                piece = run[at : at + length]
                if piece[0] not in _EDGES and piece[-1] not in _EDGES and len(set(piece)) > 1:
                    found.add(piece)
    return found


def phrases_in(sample: CommentSample) -> dict[str, int]:
    """Return the PHRASES_TOLD phrases that most people use in a sample, and how many people do.

    A person is a known actor; comments whose writer is unknown count one each, but the same text
    twice counts once.
    """
    said: dict[str, set[object]] = {}
    for comment in sample:
        who: object = comment.actor or comment.text
        for phrase in phrases_of(comment.text):
            said.setdefault(phrase, set()).add(who)
    shared = {phrase: len(people) for phrase, people in said.items() if len(people) >= PEOPLE_MIN}
    return most_of(without_parts(shared), PHRASES_TOLD)


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
