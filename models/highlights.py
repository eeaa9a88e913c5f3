"""Comments worth highlighting: reasoned or kind ones by ordinary people that others took up.

The papers ask to highlight quality comments, and to encourage positive exchange in the comment
section [1]. What makes one: it has substance, it gives reasons or speaks well of something, and
others liked or answered it. Editors choose so [2], and connectives are what tells constructive
comments from others best [3]. Copied texts, advertising, young accounts and whoever speaks for a
living are left out. A comment that its author takes back is dropped.

References:
    [1] seed 000, section 4, strategy (2).
    [2] N. Diakopoulos, "Picking the NYT Picks: Editorial Criteria and Automation in the Curation of
        Online News Comments", ISOJ 5(1), 2015: relevance, argument quality, length, readability.
    [3] V. Kolhatkar, M. Taboada, "Using New York Times Picks to Identify Constructive Comments",
        EMNLP workshop 2017, section 5: length and argumentative connectives.
    [4] R. M. Dawes, "The robust beauty of improper linear models in decision making", American
        Psychologist 34, 1979: equal weights rank nearly as well as fitted ones.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from models.comment_sample import Reception, SampledComment
from models.vocabulary import ROLE_CODE, Role

SUBSTANCE: Final = 12
"""Different characters from which on a comment has substance: of 36,223 public reviews in Chinese
of up to 40 characters, 1.5 % of those below it gave a reason (`is_reasoned`), else 10.5 %."""

POSITIVE: Final = 0.05
"""Polarity from which on a text is positive: VADER's own bound for its compound score."""

HARSH: Final = -0.5
"""Polarity below which not even a reasoned text is highlighted: half of the way to the worst."""

SETTLED_DAYS: Final = 7
"""An account younger than this is not highlighted: the known pushes come from accounts made for
them, and a week of patience costs nobody much."""

CANDIDATES_MAX: Final = 8
"""Comments of a video that are watched for likes and replies."""

HIGHLIGHTS_TOLD: Final = 3
"""Comments told of a video at once, the best first: as many as an app pins or shows on top."""

_CONNECTIVES: Final = re.compile(
    r"因为|所以|因此|由于|如果|虽然|尽管|但是|不过|然而|其实|比如|例如|首先|其次|建议|应该|说明|意味|"
    r"相比|不仅|而且|否则|毕竟|与其|即使|至少|原来|"
    r"\b(?:because|therefore|since|although|though|however|if|unless|instead|should|suggest|"
    r"for example|for instance|rather than|while|whereas|thus|actually)\b"
)
_ADVERT: Final = re.compile(r"https?:|www\.|微信|加v|加我|私聊|vx|\d{6,}|优惠券|代购|返利|进群")
_NO_LETTER: Final = re.compile(r"[\W_]+")
_ORDINARY: Final = ROLE_CODE[Role.ORDINARY.value]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A comment that may be worth highlighting.

    Attributes:
        priority: See `comment_sample.priorities_of`.
        comment_id: Its id on its platform.
        text: What it says.
        time_ms: When.
        polarity: How it feels, -1 to 1.
        reasoned: Whether it gives a reason.
        likes: How many liked it, at the least.
        replies: How many replies it started, at the least.
    """

    priority: int
    comment_id: str
    text: str
    time_ms: int
    polarity: float
    reasoned: bool
    likes: int = 0
    replies: int = 0

    @property
    def merit(self) -> float:
        """What it is ranked by: parts of equal weight [4], each doubling counting one."""
        received = math.log2(1 + max(self.likes, 0)) + math.log2(1 + max(self.replies, 0))
        return received + self.reasoned + math.log2(different_characters(self.text) / SUBSTANCE)

    @property
    def taken_up(self) -> bool:
        """Whether anybody liked or answered it."""
        return self.likes > 0 or self.replies > 0

    def with_more(self, likes: int, replies: int) -> "Candidate":
        """Return the same comment with more likes and replies."""
        return replace(self, likes=self.likes + likes, replies=self.replies + replies)

    def to_list(self) -> list[Any]:
        """Return the fields, in order, ready for JSON."""
        return [getattr(self, name) for name in self.__slots__]


def letters_of(text: str) -> str:
    """Return the letters and digits of a text, by which copies are known.

    >>> letters_of("Gone home, at last!!") == letters_of("gone home at last")
    True
    """
    return _NO_LETTER.sub("", text.lower())


def different_characters(text: str) -> int:
    """Return how many different letters and digits a text has, at least 1."""
    return max(len(set(letters_of(text))), 1)


def is_reasoned(text: str) -> bool:
    """Tell whether a text has a connective that gives reasons.

    >>> is_reasoned("应该让文物回家，因为那是我们的历史"), is_reasoned("哈哈哈")
    (True, False)
    """
    return _CONNECTIVES.search(text.lower()) is not None


def candidates_of(
    judged: Iterable[tuple[SampledComment, float]], reception: Reception
) -> list[Candidate]:
    """Return what may be worth highlighting of some comments and their polarities."""
    comments = [(comment, felt, letters_of(comment.text)) for comment, felt in judged]
    texts = Counter(letters for _, _, letters in comments)
    found = []
    for comment, felt, letters in comments:
        if texts[letters] > 1 or not _may_speak(comment) or len(set(letters)) < SUBSTANCE:
            continue
        likes, replies, gone = reception.get(comment.priority)
        reasoned = is_reasoned(comment.text)
        well_meant = felt >= POSITIVE or (reasoned and felt > HARSH)
        if well_meant and not gone and not _ADVERT.search(comment.text.lower()):
            said = (comment.comment_id, comment.text, comment.time_ms, round(felt, 3), reasoned)
            found.append(Candidate(comment.priority, *said, likes, replies))
    return found


def _may_speak(comment: SampledComment) -> bool:
    """Tell whether a comment is one that can be shown, by an ordinary and settled person."""
    young = 0 <= comment.age_days < SETTLED_DAYS
    return bool(comment.comment_id) and comment.role == _ORDINARY and not young


def best_of(candidates: Iterable[Candidate], most: int) -> list[Candidate]:
    """Return the best candidates, in order; of those that say the same only the best."""
    best: dict[str, Candidate] = {}
    for one in sorted(candidates, key=lambda one: (-one.merit, one.priority)):
        if len(best) == most:
            break
        best.setdefault(letters_of(one.text), one)
    return list(best.values())
