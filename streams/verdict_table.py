"""The verdict on a scenario as tables: planted against detected, with delays."""

from collections import Counter
from typing import Final

from rich.console import Console
from rich.table import Table

from models.parameters import HOUR_MS
from streams.scenarios.truth import Truth
from streams.scenarios.verdict import Judged, Verdict
from streams.scenarios.window import time_ms_of
from streams.terminal_board import clock

INVENTED_ROWS: Final = 20
"""Inventions listed one by one; the rest is in the alerts."""


def show_verdict(verdict: Verdict, truth: Truth, console: Console) -> None:
    """Print the tables and the sentence that decides the exit code."""
    table = Table(title="Planted against detected transitions", title_justify="left")
    for name in ("planted", "video", "transition", "route", "detected", "delay"):
        table.add_column(name, justify="right" if name == "delay" else "left", no_wrap=True)
    for judged in verdict.judged:
        table.add_row(*_row(judged), style="" if judged.detected else "bold red")
    console.print(table)
    console.print(_mechanisms(verdict))
    if verdict.invented:
        console.print(_invented(verdict, truth))
    if verdict.unasked:
        console.print(_unasked(verdict))
    for line in sentences(verdict):
        console.print(line, highlight=False, soft_wrap=True)


def _row(judged: Judged) -> tuple[str, ...]:
    planted, detected = judged.planted, judged.detected
    what = planted.state.value if planted.stage is None else planted.stage.name.lower()
    begin = (
        clock(planted.time_ms),
        f"{planted.platform}/{planted.video_id}",
        what,
        planted.route.value if detected is None else detected.route,
    )
    if detected is None or judged.delay_ms is None:
        return (*begin, "MISSED", "")
    delay = f"{judged.delay_ms / HOUR_MS:+.1f} h"
    return (*begin, clock(detected.time_ms), delay)


def _mechanisms(verdict: Verdict) -> Table:
    table = Table(title="Planted against detected mechanisms", title_justify="left")
    for name in ("planted", "video or work", "mechanism", "shown by", "detected", "delay"):
        table.add_column(name, justify="right" if name == "delay" else "left", overflow="fold")
    for judged in verdict.mechanisms:
        planted, shown = judged.planted, judged.shown
        what = planted.mechanism.value + (f": {planted.what}" if planted.what else "")
        row = (clock(planted.time_ms), planted.subject, what)
        if shown is None or judged.delay_ms is None:
            table.add_row(*row, "", "MISSED", "", style="bold red")
            continue
        by = f"{shown.by.removeprefix('hotspot.')} {shown.figures}".rstrip()
        table.add_row(*row, by, clock(shown.time_ms), f"{judged.delay_ms / HOUR_MS:+.1f} h")
    return table


def _unasked(verdict: Verdict) -> Table:
    table = Table(title="Guidance where nothing was planted", title_justify="left")
    for name in ("time", "video or work", "guidance", "reason"):
        table.add_column(name)
    for alert in verdict.unasked[:INVENTED_ROWS]:
        kind, reason = alert["type"].removeprefix("hotspot."), alert["data"]["reason"]
        row = (clock(time_ms_of(alert)), alert["subject"], kind, reason.replace("_", " "))
        table.add_row(*row)
    return table


def _invented(verdict: Verdict, truth: Truth) -> Table:
    table = Table(title="Transitions that nobody planted", title_justify="left")
    for name in ("time", "video", "kind", "transition", "route", "reason"):
        table.add_column(name, no_wrap=name != "reason")
    for found in verdict.invented[:INVENTED_ROWS]:
        kind = truth.kinds.get((found.platform, found.video_id))
        table.add_row(
            clock(found.time_ms),
            f"{found.platform}/{found.video_id}",
            kind.value.replace("_", " ") if kind else "unknown",
            found.stage if found.state == "active" else f"{found.stage}, {found.state}",
            found.route,
            found.reason.replace("_", " "),
        )
    return table


def sentences(verdict: Verdict) -> list[str]:
    """Return what the tables come to; the last sentence is the verdict."""
    delays = sorted(j.delay_ms for j in verdict.judged if j.delay_ms is not None)
    detected = f"{len(delays)} of {len(verdict.judged)} planted transitions detected"
    if delays:
        detected += f", median delay {delays[len(delays) // 2] / HOUR_MS:.1f} h"
    kinds = Counter(found.stage for found in verdict.invented)
    by_stage = ", ".join(f"{n} {stage}" for stage, n in sorted(kinds.items()))
    invented = f"{len(verdict.invented)} invented" + (f" ({by_stage})" if by_stage else "")
    shown = sum(judged.shown is not None for judged in verdict.mechanisms)
    return [
        f"{detected}.",
        f"{shown} of {len(verdict.mechanisms)} planted mechanisms detected.",
        (
            f"{invented}, and guidance {len(verdict.unasked)} times where nothing was planted; the "
            f"promise allows {verdict.allowed} of both, the 95 % quantile (Poisson) of "
            f"{verdict.promised:.1f} expected on {verdict.video_days:,.0f} ordinary video-days."
        ),
        f"Stage entries credited to bots: {len(verdict.by_bots)}.",
        "The promise is kept." if verdict.passed else "The promise is NOT kept.",
    ]
