"""Screening: what the platform's labels and a platform's own rules say of a video, as flags.

The papers ask for original spirit and warn of imitation, of commercialisation and of vulgarity [1],
and for screening [2]. Whether a video is any of these is judged by people, or by a platform that
sets labels: the monitor passes on what they say and by which rule. A flag is for people who decide:
nothing is left out, ranked lower or deleted because of one.

A label gives a flag when it equals that of a rule, a title when a pattern of a rule is found in it
as it is or as normalised; width and case of letters make no difference (Unicode's NFKC and case
folding). Patterns are regular expressions of a kind that takes linear time, whatever the title
(Rust's, which Polars brings).

References:
    [1] seed 002, sections 4.2 (imitation, copying and appropriation), 4.3 (heavy product placement)
        and 4.4 (vulgarization); seed 003, section 3.1: high-quality original content.
    [2] seed 002, section 5.4: evaluation mechanisms to screen works.
"""

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NoReturn

import polars as pl

MOST_LABELS: Final = 1_024
"""Labels in a file of rules: some hundreds are what a platform's moderation has."""

MOST_PATTERNS: Final = 64
"""Patterns in a file of rules: each is looked for in every title that is told."""

PATTERN_CHARACTERS_MAX: Final = 512
"""Characters of a pattern; alternatives may stand in one."""

TITLES_REMEMBERED: Final = 4_096
"""Titles whose flags are remembered, since a board shows the same ones again and again."""

NO_FLAG: Final = "none"
"""In place of a flag in a file: a label of the shipped rules says nothing on this platform."""


class Flag(StrEnum):
    """What a video may be flagged as [1]."""

    ORIGINAL = "original"
    IMITATION = "imitation"
    ADVERTISING = "advertising"
    VULGARITY = "vulgarity"


CAUTIONED: Final = (Flag.IMITATION, Flag.ADVERTISING, Flag.VULGARITY)
"""What a recommendation must not pass over in silence."""


class ScreeningRulesError(ValueError):
    """Rules that cannot be used; says where and why."""


@dataclass(frozen=True, slots=True)
class Screened:
    """One flag of a video.

    Attributes:
        flag: What it is flagged as.
        by: `label` or `title`.
        rule: The label, or the pattern.
    """

    flag: Flag
    by: str
    rule: str

    @property
    def why(self) -> str:
        """The reason, in words."""
        if self.by == "label":
            return f"the platform labels it “{self.rule}”"
        return f"its title has “{self.rule}”"

    def figures(self) -> dict[str, Any]:
        """Return it for an alert, JSON-ready."""
        return {"flag": self.flag.value, "by": self.by, "rule": self.rule, "why": self.why}


@dataclass(frozen=True, slots=True)
class ScreeningRules:
    """What gives which flag.

    Attributes:
        labels: Labels, normalised, in alphabetical order, with their flags.
        titles: Patterns in the order in which they are tried, with their flags.
    """

    labels: tuple[tuple[str, Flag], ...]
    titles: tuple[tuple[str, Flag], ...] = ()

    def screen(self, labels: tuple[str, ...], title: str) -> tuple[Screened, ...]:
        """Return the flags of a video, each once with its first reason, in the order of `Flag`.

        >>> [found.why for found in SHIPPED_RULES.screen(("Advert", "music"), "a title")]
        ['the platform labels it “Advert”']

        Args:
            labels: The platform's labels.
            title: Its title, or an empty string.
        """
        return _screen(self, labels, title) if labels or (title and self.titles) else ()

    @classmethod
    def parse(cls, text: str) -> "ScreeningRules":
        """Read rules in TOML, which add to the shipped ones.

        >>> rules = ScreeningRules.parse('titles = [{pattern = "only .+ yuan", flag="original"}]')
        >>> [found.flag.value for found in rules.screen((), "ONLY 9 yuan!")]
        ['original']

        Raises:
            ScreeningRulesError: It is not TOML, or a label, pattern or flag is wrong.
        """
        try:
            given = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ScreeningRulesError(f"it is not TOML: {error}") from error
        _check_keys(given, ("labels", "titles"), "the file")
        labels = dict(SHIPPED_RULES.labels) | _labels_of(given.get("labels", {}))
        return cls(
            labels=tuple(sorted((label, Flag(flag)) for label, flag in labels.items() if flag)),
            titles=tuple(_titles_of(given.get("titles", []))),
        )


@lru_cache(maxsize=TITLES_REMEMBERED)
def _screen(rules: ScreeningRules, labels: tuple[str, ...], title: str) -> tuple[Screened, ...]:
    known = dict(rules.labels)
    found = [
        Screened(flag, "label", label)
        for label in labels
        if (flag := known.get(_normalised(label))) is not None
    ]
    if title and rules.titles:
        ways = pl.Series([title, _normalised(title)])
        found += [
            Screened(flag, "title", pattern)
            for pattern, flag in rules.titles
            if ways.str.contains(f"(?i){pattern}").any()
        ]
    first = {one.flag: one for one in reversed(found)}
    return tuple(first[flag] for flag in Flag if flag in first)


def cautions(found: Iterable[Screened]) -> str:
    """Return a sentence that warns of flags which a recommendation must name, or nothing.

    >>> cautions([Screened(Flag.VULGARITY, "label", "低俗")])
    'Look at it first: it is flagged (vulgarity).'
    """
    flags = {one.flag for one in found}
    named = ", ".join(flag.value for flag in CAUTIONED if flag in flags)
    return f"Look at it first: it is flagged ({named})." if named else ""


def _normalised(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _labels_of(given: object) -> dict[str, Flag | None]:
    if not isinstance(given, dict):
        raise ScreeningRulesError("labels is no table of label = flag")
    if len(given) > MOST_LABELS:
        raise ScreeningRulesError(f"it has more than {MOST_LABELS} labels")
    labels: dict[str, Flag | None] = {}
    for label, flag in given.items():
        name = _normalised(label)
        if not name or name in labels:
            raise ScreeningRulesError(f"label {label!r} is empty, or there twice")
        labels[name] = None if flag == NO_FLAG else _flag_of(flag, f"label {label!r}", NO_FLAG)
    return labels


def _titles_of(given: object) -> Iterable[tuple[str, Flag]]:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise ScreeningRulesError("titles is no list of tables: write [[titles]]")
    if len(given) > MOST_PATTERNS:
        raise ScreeningRulesError(f"it has more than {MOST_PATTERNS} patterns")
    for number, one in enumerate(given, start=1):
        where = f"title pattern {number}"
        _check_keys(one, ("pattern", "flag"), where)
        pattern = one.get("pattern")
        if not isinstance(pattern, str) or not 0 < len(pattern) <= PATTERN_CHARACTERS_MAX:
            raise ScreeningRulesError(
                f"{where} needs a pattern of 1 to {PATTERN_CHARACTERS_MAX} characters"
            )
        _check_pattern(pattern, where)
        yield pattern, _flag_of(one.get("flag"), where)


def _check_pattern(pattern: str, where: str) -> None:
    try:
        finds_nothing = pl.Series([""]).str.contains(f"(?i){pattern}").any()
    except pl.exceptions.ComputeError as error:
        # The reason stands in the line that begins with "error:", or follows the last colon.
        said = str(error).partition("\n\nThis error")[0].splitlines()[-1].rpartition(": ")[-1]
        raise ScreeningRulesError(
            f"{where} is no regular expression that can be used: {said}"
        ) from error
    if finds_nothing:
        raise ScreeningRulesError(f"{where} is found in every title: {pattern!r}")


def _check_keys(given: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for name in given:
        if name not in known:
            raise ScreeningRulesError(f"{where} has {name!r}; known are {', '.join(known)}")


def _flag_of(given: object, where: str, *others: str) -> Flag:
    if isinstance(given, str) and given in list(Flag):
        return Flag(given)
    return _refuse_flag(given, where, *others)


def _refuse_flag(given: object, where: str, *others: str) -> NoReturn:
    known = ", ".join([*(flag.value for flag in Flag), *others])
    raise ScreeningRulesError(f"{where} has the flag {given!r}; known are {known}")


SHIPPED_RULES: Final = ScreeningRules(
    labels=tuple(
        sorted(
            {
                "original": Flag.ORIGINAL,
                "原创": Flag.ORIGINAL,
                "imitation": Flag.IMITATION,
                "搬运": Flag.IMITATION,
                "advert": Flag.ADVERTISING,
                "advertising": Flag.ADVERTISING,
                "广告": Flag.ADVERTISING,
                "vulgar": Flag.VULGARITY,
                "vulgarity": Flag.VULGARITY,
                "低俗": Flag.VULGARITY,
            }.items()
        )
    )
)
"""The labels that the contract names (docs/events.md: `advert`, `original`), the flags' own names,
and what platforms in Chinese call them: 原创 (original), 搬运 (carried over from elsewhere), 广告
(the word that article 14 of China's Advertising Law wants beside an advertisement), 低俗
(vulgar)."""
