"""Whether two names of topics are one name, written twice, or at least alike.

People write one name in many ways: with hash signs, book-title marks or quotes, in wide or narrow
letters, in capitals, with or without spaces. Normalised that is one name. Names are *alike* when
their shingles resemble each other by at least a half [1] and the numbers in them are the same: the
second episode, season or year is another work.

References:
    [1] A. Broder, "On the resemblance and containment of documents", 1997; the half: A. Broder et
        al., "Syntactic clustering of the web", 1997 (as in models/homogenisation.py).
"""

import re
import unicodedata
from typing import Final

from models.homogenisation import RESEMBLANCE, shingles_of

NUMBERS: Final = re.compile(r"\d+|[零〇一二三四五六七八九十百千两上中下前后]|[^\w]")
"""Numbers, the words of Chinese that stand for a part (上 is the first, 下 the last), and signs."""

LEAST_CHARACTERS: Final = 4
"""Shorter names have at the most two shingles, of which one says nothing: they must be equal."""


def normalised(name: str) -> str:
    """Return a name without what people write differently: letters, digits and signs alone.

    Signs of mathematics and money stay, for a model with a plus is another model.

    >>> normalised("#逃出大英博物馆#") == normalised("《逃出 大英博物馆》")
    True
    >>> normalised("Ｅｓｃａｐｅ from the_Museum!")
    'escapefromthemuseum'
    >>> normalised("Mate60 Pro+") == normalised("mate60pro")
    False
    """
    wide = unicodedata.normalize("NFKC", name).casefold()
    return "".join(
        c for c in wide if (kind := unicodedata.category(c))[0] in "LNM" or kind in ("Sm", "Sc")
    )


def are_alike(one: str, other: str) -> bool:
    """Tell whether two normalised names are alike.

    >>> are_alike("逃出大英博物馆", "逃离大英博物馆"), are_alike("长安三万里", "长安的荔枝")
    (True, False)
    >>> are_alike("escapefromthemuseum2", "escapefromthemuseum3")
    False
    """
    if one == other:
        return bool(one)
    if min(len(one), len(other)) < LEAST_CHARACTERS:
        return False
    if NUMBERS.findall(one) != NUMBERS.findall(other):
        return False
    first, second = shingles_of(one), shingles_of(other)
    return len(first & second) >= RESEMBLANCE * len(first | second)
