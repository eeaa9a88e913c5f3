"""docs/detectors.md and its picture: what was measured of detectors, in tables between marks."""

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from streams.measured_pages import picture, table
from streams.scoreboard.detection_delays import FALSE_ALARM_EVERY_DAYS, Delay
from streams.scoreboard.detection_discoveries import Discoveries
from streams.scoreboard.detection_nulls import FalseAlarms
from streams.scoreboard.detection_quiet import QuietAlarms
from streams.scoreboard.detection_tweets import Curve

OURS: Final = "(ours)"
_OURS_COLOURS: Final = ("#b8322a", "#e8a0a0", "#e67e22")
_OTHERS: Final = ("#1f4e79", "#5b8db8", "#4a7c59", "#8fbc94", "#7d5a8c", "#b79bc4", "#8a8a8a")
_MARKERS: Final = "osD^vPX<>"


def nulls_table(measured: Sequence[FalseAlarms]) -> str:
    """Return the rates on simulated nulls, a row per null, a column per promise."""
    rows, promises = [], list(dict.fromkeys(one.promised for one in measured))
    for (null, detector), group in groupby(measured, lambda one: (one.null, one.detector)):
        cells = [_rate(one.rate, one.interval[1], one.is_broken) for one in group]
        rows.append([f"{null} ({detector})", *cells])
    return table(["null", *(f"{promise:.3g} promised" for promise in promises)], rows)


def quiet_table(measured: Sequence[QuietAlarms]) -> str:
    """Return the rates on real quiet stretches, a row per set."""
    rows, promises = [], list(dict.fromkeys(one.promised for one in measured))
    for name, group in groupby(measured, lambda one: one.name):
        several = list(group)
        cells = [
            _rate(one.rate, one.interval[1], one.interval[0] > one.promised) for one in several
        ]
        rows.append([f"{name}, {several[0].video_days:,.0f} video-days", *cells])
    return table(["set", *(f"{promise:.3g} promised" for promise in promises)], rows)


def _rate(rate: float, high: float, is_broken: bool) -> str:
    text = f"{rate:.2g} (≤ {high:.2g})"
    return f"**{text}**" if is_broken else text


def delays_table(measured: Sequence[Delay]) -> str:
    """Return mean delays in visits, a row per detector, a column per factor."""
    factors = list(dict.fromkeys(one.factor for one in measured))
    names = list(dict.fromkeys(one.detector for one in measured))
    at = {(one.detector, one.factor): one for one in measured}
    bounds = [at[names[0], factor].bound_visits for factor in factors]
    rows = [["log(1 / alpha) / divergence", *(f"{bound:.1f}" for bound in bounds)]]
    rows += [[name, *(_delay(at[name, factor]) for factor in factors)] for name in names]
    return table(["detector", *(f"x {factor:g}" for factor in factors)], rows)


def _delay(delay: Delay) -> str:
    if delay.told == 0:
        return "never"
    text = f"{delay.mean_visits:.1f}"
    return text if delay.told == 1 else f"> {text} ({delay.told:.0%} told)"


def discoveries_table(measured: Sequence[Discoveries]) -> str:
    """Return the false discovery rates, a row per null."""
    rows, levels = [], list(dict.fromkeys(one.level for one in measured))
    for null, group in groupby(measured, lambda one: one.null):
        cells = []
        for one in group:
            text = f"{one.false_share:.2g} ({one.found:.0%})"
            cells.append(f"**{text}**" if one.is_broken else text)
        rows.append([null, *cells])
    return table(["null", *(f"at most {level:g}" for level in levels)], rows)


def tweets_table(curves: Sequence[Curve], windows: int) -> str:
    """Return the fewest false alarms per series and day, by windows caught."""
    shown = [windows * k // 7 for k in range(2, 8)]
    rows = []
    for curve in curves:
        fewest = [curve.fewest_false(caught) for caught in shown]
        rows.append([curve.detector, *(f"{f:.3f}" if math.isfinite(f) else "-" for f in fewest)])
    return table(["detector", *(f"{caught} of {windows}" for caught in shown)], rows)


def draw(delays: Sequence[Delay], curves: Sequence[Curve], windows: int, path: Path) -> None:
    """Draw delays against the size of the change, and windows caught against false alarms."""
    with picture(path, 10.5, 4.6) as figure:
        left, right = figure.subplots(1, 2)
        factors = list(dict.fromkeys(one.factor for one in delays))
        told = [one for one in delays if one.told == 1]
        names = list(dict.fromkeys(one.detector for one in told))
        for name, colour, marker in zip(names, _colours(names), _MARKERS, strict=False):
            of_name = [one for one in told if one.detector == name]
            left.plot(
                [one.factor for one in of_name],
                [one.mean_visits for one in of_name],
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1.6 if OURS in name else 1.0,
                label=name,
            )
        bounds = {one.factor: one.bound_visits for one in delays}
        left.plot(factors, [bounds[f] for f in factors], "k--", linewidth=1, label="bound")
        left.set(xscale="log", yscale="log", xlabel="the mean rises to so many times itself")
        left.set_xticks(factors, [f"{factor:g}" for factor in factors])
        left.minorticks_off()
        left.set_ylim(0.5, 300)
        left.set_title(
            "mean delay in visits of 5 minutes, one false alarm in "
            f"{FALSE_ALARM_EVERY_DAYS:g} days",
            loc="left",
            fontsize=9,
        )
        drawn = [c for c in curves if math.isfinite(c.fewest_false(2))]
        for curve, colour in zip(drawn, _colours([c.detector for c in drawn]), strict=True):
            caught = [k for k in range(1, windows + 1) if math.isfinite(curve.fewest_false(k))]
            right.step(
                [curve.fewest_false(k) for k in caught],
                caught,
                where="post",
                color=colour,
                linewidth=1.8 if OURS in curve.detector else 1.0,
                label=curve.detector,
            )
        right.set(xlabel="false alarms per series and day", xlim=(0, 0.6), ylim=(0, windows + 0.5))
        right.set_title(f"of {windows} labelled bursts of tweets, caught", loc="left", fontsize=9)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
        left.legend(fontsize=7.5, frameon=False, loc="lower left")
        right.legend(fontsize=7.5, frameon=False, loc="lower right")


def _colours(names: Sequence[str]) -> list[str]:
    ours, others = iter(_OURS_COLOURS * len(names)), iter(_OTHERS * len(names))
    return [next(ours) if OURS in name else next(others) for name in names]
