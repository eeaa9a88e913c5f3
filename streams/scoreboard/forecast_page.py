"""docs/detection.md and its pictures: what forecasts and alerts were worth, between marks."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from models.forecast_scores import Interval, share_interval
from streams.measured_pages import picture, table
from streams.scoreboard.bursts_told import Told
from streams.scoreboard.detection_tweets import Curve
from streams.scoreboard.forecasts import AS_SHIPPED, REGRESSION, TRAINED, Answer
from streams.scoreboard.stage_order import Order, median_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OFF_BY_MOST: Final = 0.1
"""A bin is bold when its 95 % interval lies further than this from what was promised."""

_COLOURS: Final = {TRAINED: "#b8322a", AS_SHIPPED: "#e67e22", REGRESSION: "#1f4e79"}
_RIVAL_COLOUR: Final = "#8a8a8a"
_AGE_COLOURS: Final = ("#b8322a", "#1f4e79")
_DAY_H: Final = 24.0
_TICKS_H: Final = {6.0: "6 h", 24.0: "1 d", 72.0: "3 d", 240.0: "10 d"}

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def _figure(value: float, interval: Interval, digits: int = 2) -> str:
    if math.isnan(value):
        return "-"
    low, high = interval
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def scores_table(answers: Sequence[Answer]) -> str:
    """Return average precision and alerts, a row per set and way to forecast."""
    rows, last = [], ""
    for one in answers:
        found = one.judged.scores
        told, rival = found.alerts, found.rival_alerts
        if one.question.name != last:
            last = one.question.name
            name = f"{one.question.rival}, in its place"
            reached = f"**{last}**: {found.hits:,} of {found.videos:,}"
            rows.append([reached, name, _figure(*found.rival, 3), "1", "", "", ""])
        share = share_interval(told.precision, told.videos) if told.videos else (0.0, 1.0)
        rows.append(
            [
                "",
                one.way,
                _figure(*found.average_precision, 3),
                _figure(*found.ratio),
                f"{told.videos:,}",
                f"{_figure(told.precision, share)}, {told.recall:.2f}",
                f"{rival.precision:.2f}, {rival.recall:.2f}",
            ]
        )
    head = [
        "set, and how many reached it",
        "forecast by",
        "average precision",
        "times the rate per hour",
        "alerts at 0.6",
        "precision, recall",
        "as many by rate per hour",
    ]
    return table(head, rows)


def calibration_table(answers: Sequence[Answer]) -> str:
    """Return what was promised and what happened, a row per set, way and age."""
    rows = []
    for one in answers:
        for when, bins in one.judged.scores.calibration.items():
            cells = []
            for each in bins:
                text = (
                    f"{each.promised:.2f}: {_figure(each.happened, each.interval)}, {each.videos:,}"
                )
                cells.append(f"**{text}**" if each.off_by() > OFF_BY_MOST else text)
            rows.append([f"{one.question.file}, {one.way}, {when}", "; ".join(cells)])
    return table(["set, forecast by, age", "promised: happened, videos"], rows)


def leads_table(answers: Sequence[Answer]) -> str:
    """Return by how many hours alerts came first, a row per set and way to forecast."""
    rows = []
    for one in answers:
        leads_h = one.judged.leads_h
        if len(leads_h):
            quarters = np.percentile(leads_h, [25, 75])
            median = _figure(float(np.median(leads_h)), median_interval(leads_h), 1)
            rows.append(
                [
                    f"{one.question.file}, {one.way}",
                    f"{len(leads_h):,}",
                    median,
                    f"{quarters[0]:.1f} to {quarters[1]:.1f}",
                    f"{(leads_h >= _DAY_H).mean():.0%}",
                ]
            )
    head = ["set, forecast by", "hits told of", "median, hours", "middle half", "a day or more"]
    return table(head, rows)


def bursts_table(told: Mapping[str, Told], curves: Sequence[Curve]) -> str:
    """Return what the pipeline told of tweets, beside detectors that catch as many windows."""
    rows = []
    for name, one in told.items():
        share, rate = one.caught / one.windows, one.false_alarms / one.series_days
        caught = f"{one.caught} of {one.windows}: {_figure(share, one.caught_interval)}"
        rows.append([name, caught, _figure(rate, one.false_interval, 3)])
    most = max(one.caught for one in told.values())
    for curve in curves:
        fewest = curve.fewest_false(most)
        figure = f"{fewest:.3f}" if math.isfinite(fewest) else "never so many"
        rows.append([f"{curve.detector}, its best threshold", f"{most}", figure])
    return table(["told by", "windows caught", "false alarms per series and day"], rows)


def order_table(orders: Sequence[Order]) -> str:
    """Return who told first, a row per badge (or board) and what we told."""
    rows = []
    for one in orders:
        share, interval = one.share_before
        rows.append(
            [
                one.shown,
                one.told,
                f"{one.videos:,}",
                f"{one.told_of:,}",
                f"{one.before:,}, {one.told_of - one.before - one.after:,}, {one.after:,}",
                _figure(share, interval) if one.videos else "-",
                _figure(one.lead_h, one.interval_h, 1),
            ]
        )
    head = [
        "shown",
        "what we told",
        "shown of",
        "we told of",
        "before, at the same reading, after",
        "share before, of all shown",
        "lead, median hours",
    ]
    return table(head, rows)


def precision_recall(score: Floats, hit: Flags) -> tuple[Floats, Floats]:
    """Return recall and precision from each score on that found a hit, falling.

    Equal scores count together.
    """
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(hit[order])
    ends = np.flatnonzero(np.diff(score[order], append=-np.inf))
    ends = ends[np.diff(found[ends], prepend=0) > 0]
    return found[ends] / max(int(hit.sum()), 1), found[ends] / (ends + 1)


def draw(answers: Sequence[Answer], directory: Path) -> list[Path]:
    """Draw precision and recall, calibration, and lead times, a picture each, of what is by halves.

    Curves by fifths would hardly be told from these.
    """
    pictures: list[tuple[str, Callable[[Axes, Sequence[Answer]], None]]] = [
        ("precision-recall", _draw_precision_recall),
        ("calibration", _draw_calibration),
        ("lead-times", _draw_leads),
    ]
    drawn = [one for one in answers if one.way in _COLOURS]
    return [_picture(drawn, directory / f"detection-{name}.svg", one) for name, one in pictures]


def _picture(
    answers: Sequence[Answer], path: Path, panel: "Callable[[Axes, Sequence[Answer]], None]"
) -> Path:
    names = list(dict.fromkeys(one.question.name for one in answers))
    with picture(path, 3.6 * len(names), 3.6) as figure:
        for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
            panel(axes, [one for one in answers if one.question.name == name])
            axes.set_title(name, loc="left", fontsize=9)
            axes.spines[["top", "right"]].set_visible(False)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(fontsize=7.5, frameon=False)
    return path


def _draw_precision_recall(axes: "Axes", answers: Sequence[Answer]) -> None:
    first = answers[0]
    for one in answers:
        scores, colour = one.judged.scores, _COLOURS[one.way]
        axes.plot(
            *precision_recall(one.judged.said, one.judged.hit),
            color=colour,
            linewidth=1.8 if one.way == TRAINED else 1.1,
            label=one.way.replace("`", ""),
        )
        if scores.alerts.videos:
            dot = scores.alerts.recall, scores.alerts.precision
            axes.plot(*dot, "o", color=colour, markersize=5)
    rival = precision_recall(first.judged.rival, first.judged.hit)
    axes.plot(*rival, color=_RIVAL_COLOUR, linewidth=1.1, label=first.question.rival)
    axes.set(xlabel="recall (dot: alerts at 0.6)", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))


def _draw_calibration(axes: "Axes", answers: Sequence[Answer]) -> None:
    axes.plot([0, 1], [0, 1], "k--", linewidth=0.8)
    best = next(one.judged for one in answers if one.way != REGRESSION)
    ages = best.scores.calibration.items()
    for at, ((when, bins), colour) in enumerate(zip(ages, _AGE_COLOURS, strict=True)):
        happened = np.array([one.happened for one in bins])
        low, high = np.array([one.interval for one in bins]).T
        axes.errorbar(
            [one.promised + 0.006 * at for one in bins],
            happened,
            yerr=[np.maximum(happened - low, 0), np.maximum(high - happened, 0)],
            fmt="o",
            markersize=4,
            linewidth=1,
            color=colour,
            label=f"at {when}",
        )
    axes.set(xlabel="promised", ylabel="happened (95 %)", xlim=(0, 1), ylim=(0, 1.02))


def _draw_leads(axes: "Axes", answers: Sequence[Answer]) -> None:
    for one in answers:
        leads_h = np.sort(one.judged.leads_h)
        if len(leads_h):
            told = np.arange(len(leads_h), -1, -1) / int(one.judged.hit.sum())
            axes.step(
                np.append(0.0, leads_h),
                told,
                where="post",
                color=_COLOURS[one.way],
                linewidth=1.3,
                label=one.way.replace("`", ""),
            )
    axes.set_xscale("symlog", linthresh=6)
    axes.set_xticks(list(_TICKS_H), list(_TICKS_H.values()))
    axes.minorticks_off()
    axes.set(xlabel="told at least so long before", ylabel="of all hits", ylim=(0, 1.02))
    axes.set_xlim(0, 400)
