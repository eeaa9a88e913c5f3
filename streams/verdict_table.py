"""The verdict on a scenario as a table: planted against detected, with delays."""

from collections import Counter
from typing import Final

from rich.console import Console
from rich.table import Table

from models.parameters import HOUR_MS
from streams.scenarios.truth import Truth
from streams.scenarios.verdict import Judged, Verdict
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
    if verdict.invented:
        console.print(_invented(verdict, truth))
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
    return [
        f"{detected}.",
        (
            f"{invented}; the promise allows {verdict.allowed}, the 95 % quantile (Poisson) of "
            f"{verdict.promised:.1f} expected on {verdict.video_days:,.0f} ordinary video-days."
        ),
        f"Stage entries credited to bots: {len(verdict.by_bots)}.",
        "The promise is kept." if verdict.passed else "The promise is NOT kept.",
    ]
