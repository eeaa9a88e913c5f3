"""The case in docs/detection.md: what was told, beside the boards' dates, as tables and a picture.

Times are shown in China's time, in which the boards stood.
"""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.alerts import AlertType
from models.vocabulary import Stage
from streams.measured_pages import picture, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from models.parameters import Level
    from streams.scoreboard.case import Shown, Told

PAGE: Final = "detection.md"
PICTURE: Final = "case.svg"

CHINA: Final = timezone(timedelta(hours=8))
HOUR_S: Final = 3_600
SHOWN_DAYS: Final = 17
"""The picture begins with the first thing told and ends so many days later: with the work's first
fading since its last episode. What comes after stands in the table."""

SIDE_BY_SIDE_S: Final = 60 * HOUR_S
"""Labels need so much room beside each other."""
BESIDE: Final = 0.3
"""Of a lane, between what was told at once."""

BOARDS: Final = ("weibo", "douyin", "zhihu")
WORDS: Final = (
    ("预告片", "trailer"),
    ("第二集", "episode 2"),
    ("第三集", "episode 3"),
    ("幕后", "making of"),
    ("开播", "opening"),
    ("六公主", "state film channel"),
    ("大结局", "last episode"),
    ("版", "a derivative"),
    ("引热议", "much discussed"),
    ("如何评价", "a question about it"),
)
"""What is in a title or a topic, and what it is called here: the milestones of the case."""
_COLOURS: Final = {
    Stage.JUDGMENT: "#e67e22",
    Stage.INTERACTION: "#4a7c59",
    Stage.DIFFUSION: "#1f4e79",
}
_EMERGING_COLOUR: Final = "#b8322a"
_QUIET_COLOUR: Final = "#8a8a8a"
_OTHERS: Final = "other videos"


def words(text: str) -> str:
    """Return what a title or a topic is called here; empty when it is none of the milestones.

    >>> words("逃出大英博物馆第三集")
    'episode 3'
    """
    return next((word for part, word in WORDS if part in text), "")


def at(time_s: float) -> str:
    """Return a time of 2023 as people say it, in China's time.

    >>> at(1_693_199_559)
    '08-28 13:12'
    """
    return f"{datetime.fromtimestamp(time_s, CHINA):%m-%d %H:%M}"


def leads_table(told: "Mapping[Level, Sequence[Told]]", shown: "Sequence[Shown]", work: str) -> str:
    """Return by how many hours what was told came before each milestone of the boards.

    Args:
        told: What was told, by level.
        shown: The first place of each topic.
        work: The work's topic.
    """
    *_, last = told.values()
    first: list[tuple[str, float | None]] = [
        (f"emerging, {level.count:,}", _first(of_level, AlertType.EMERGING, work))
        for level, of_level in told.items()
    ]
    first += [
        (stage.name.lower(), _first(last, AlertType.STAGE_ENTERED, stage=stage))
        for stage in _COLOURS
    ]
    first.append(("confirmed", _first(last, AlertType.CONFIRMED, work)))
    head = [
        "on a board",
        "at",
        *(f"{name}: {'never' if s is None else at(s)}" for name, s in first),
    ]
    rows = []
    known: set[str] = set()
    for one in shown:
        word = words(one.topic)
        if not word and one.board in known:
            continue
        known.add(one.board)
        place = "" if one.place is None else f" #{one.place}"
        leads = ["-" if s is None else f"{(one.time_s - s) / HOUR_S:+,.0f} h" for _, s in first]
        rows.append([f"{one.board.capitalize()}{place}: {word}", at(one.time_s), *leads])
    return table(head, rows)


def _first(
    told: "Sequence[Told]", kind: AlertType, of: str | None = None, stage: Stage | None = None
) -> float | None:
    found = (
        one.known_s
        for one in told
        if one.kind is kind and of in (None, one.of) and stage in (None, one.stage)
    )
    return min(found, default=None)


def told_table(told: "Sequence[Told]", work: str) -> str:
    """Return all that was told, in the order in which it could be known."""
    rows = []
    for one in sorted(told, key=lambda one: (one.known_s, one.time_s)):
        of = "**the work**" if one.of == work else words(one.title) or "another video"
        rows.append([at(one.known_s), of, _what(one), _why(one)])
    return table(["known from", "of", "told", "what was said"], rows)


def _what(one: "Told") -> str:
    if one.stage is not None:
        return f"{one.data['juncture']}: {one.stage.name.lower()}"
    return one.kind.value.removeprefix("hotspot.")


def _why(one: "Told") -> str:
    data, figures = one.data, one.data["figures"]
    if one.stage is not None:
        return (
            f"{data['signal']}: {figures['per_exposure']:.3f} per view, ordinary up to "
            f"{figures['null_per_exposure']:.3f}"
        )
    if one.kind is AlertType.EMERGING:
        return f"{data['probability']:.2f} that it reaches the level; {'; '.join(data['signals'])}"
    if one.kind is AlertType.CONFIRMED:
        return f"{figures['views']:,} views; {', '.join(figures['stages'])}"
    return (
        f"{figures['activity_per_hour']:,.0f} an hour, at its peak {figures['peak_per_hour']:,.0f}"
    )


def draw(
    by_level: "Mapping[Level, Sequence[Told]]", shown: "Sequence[Shown]", work: str, path: Path
) -> None:
    """Draw the boards, the work and its videos, a lane each, over the first days.

    Args:
        by_level: What was told, by level: all of the last one; of the others the first that was
            told of the work, hollow.
        shown: The first place of each topic.
        work: The work's topic.
        path: Where to write.
    """
    *_, told = by_level.values()
    titles = {one.of: one.title for one in told}
    staged = [one.of for one in told if one.stage is not None]
    videos = [v for v in dict.fromkeys(staged) if words(titles[v])]
    lanes = [*BOARDS, work, *videos, _OTHERS]
    begin_s = min(one.time_s for several in by_level.values() for one in several)
    end_s = begin_s + SHOWN_DAYS * 24 * HOUR_S
    with picture(path, 10.5, 0.52 * len(lanes) + 0.9) as figure:
        axes = figure.subplots()
        for lane, board in enumerate(BOARDS):
            of_board = [one for one in shown if one.board == board and one.time_s <= end_s]
            _draw_shown(axes, of_board, lane)
        for board in BOARDS:
            first_s = min(one.time_s for one in shown if one.board == board)
            axes.axvline(_date(first_s), color=_QUIET_COLOUR, linewidth=0.7, linestyle=":")
        for level, several in list(by_level.items())[:-1]:
            earliest_s = _first(several, AlertType.EMERGING, work)
            if earliest_s is not None:
                axes.plot(
                    _date(earliest_s),
                    lanes.index(work),
                    "^",
                    color=_EMERGING_COLOUR,
                    fillstyle="none",
                    markersize=8,
                    label=f"emerging, {level.count:,} {level.action}s",
                )
        at_once = Counter[tuple[str, float]]()
        for alert in told:
            if alert.known_s <= end_s:
                of = alert.of if alert.of in lanes else _OTHERS
                beside = at_once[of, alert.known_s]
                _draw_told(axes, alert, lanes.index(of) + BESIDE * beside)
                at_once[of, alert.known_s] += 1
        names = {work: "the work"} | {video: words(titles[video]) for video in videos}
        axes.set_yticks(range(len(lanes)), [names.get(lane, lane.capitalize()) for lane in lanes])
        axes.set(ylim=(len(lanes) - 0.4, -0.6))
        axes.set_xlim(_date(begin_s - 6 * HOUR_S), _date(end_s))
        axes.axhline(len(BOARDS) - 0.5, color="#333333", linewidth=0.6)
        *_, level = by_level
        _legend(axes, f"emerging, {level.count:,} {level.action}s")
        _days(axes, begin_s, end_s)


def _date(time_s: float) -> float:
    from matplotlib.dates import date2num  # noqa: PLC0415 - of the extra `bench`

    # matplotlib shows what it takes for UTC.
    shifted = datetime.fromtimestamp(time_s, CHINA).replace(tzinfo=UTC)
    number: float = date2num(shifted)
    return number


def _days(axes: "Axes", begin_s: float, end_s: float) -> None:
    day_s = 24 * HOUR_S
    offset_s = 8 * HOUR_S
    first = int((begin_s + offset_s) // day_s) + 1
    days = [day * day_s - offset_s for day in range(first, int((end_s + offset_s) // day_s) + 1)]
    axes.set_xticks([_date(s) for s in days], [at(s).partition(" ")[0] for s in days])
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(
        "told, from when it could be known (thin: from the event time it names), and the first "
        "place of topics on boards; days begin at 00:00 UTC+8",
        loc="left",
        fontsize=9,
    )


def _draw_shown(axes: "Axes", shown: "Sequence[Shown]", lane: int) -> None:
    below, labelled_s = False, -math.inf
    for one in shown:
        x = _date(one.time_s)
        axes.plot(x, lane, "|", color="#333333", markersize=9, markeredgewidth=1.6)
        if word := words(one.topic):
            # Labels of topics that came soon after each other change sides.
            below = one.time_s - labelled_s < SIDE_BY_SIDE_S and not below
            labelled_s = one.time_s
            place = "" if one.place is None else f"#{one.place} "
            axes.annotate(
                place + word,
                (x, lane),
                (2, -13 if below else 7),
                textcoords="offset points",
                fontsize=7,
            )


def _draw_told(axes: "Axes", one: "Told", lane: float) -> None:
    colour, marker, size = _mark(one)
    x = _date(one.known_s)
    axes.plot([_date(one.time_s), x], [lane, lane], color=colour, linewidth=0.9)
    axes.plot(x, lane, marker, color=colour, markersize=size, clip_on=False)


def _mark(one: "Told") -> tuple[str, str, int]:
    if one.stage is not None:
        return _COLOURS[one.stage], "o", 7
    if one.kind is AlertType.EMERGING:
        return _EMERGING_COLOUR, "^", 8
    if one.kind is AlertType.CONFIRMED:
        return _EMERGING_COLOUR, "*", 13
    return _QUIET_COLOUR, "x", 6


def _legend(axes: "Axes", emerging: str) -> None:
    entries = [(emerging, _EMERGING_COLOUR, "^")]
    entries += [(f"{stage.name.lower()} entered", c, "o") for stage, c in _COLOURS.items()]
    entries += [("confirmed", _EMERGING_COLOUR, "*"), ("faded", _QUIET_COLOUR, "x")]
    for name, colour, marker in entries:
        axes.plot([], [], marker, color=colour, label=name)
    axes.legend(
        fontsize=7.5,
        frameon=False,
        ncols=4,
        loc="upper left",
        bbox_to_anchor=(0, -0.08),
    )
