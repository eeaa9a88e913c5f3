"""The board in a terminal: what is emerging, its stage, route and why; elsewhere plain lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from models.alerts import AlertType
from models.vocabulary import State

BOARD_ROWS: Final = 12
ALERT_ROWS: Final = 10
"""Together with the header they fill a terminal of 35 lines."""

PLAIN_EVERY_MS: Final = 12 * 3_600_000
"""Of event time between two plain lines of progress: twice a day."""

CHINA: Final = timezone(timedelta(hours=8))
"""The scenario's people live in UTC+8, and so do the times shown."""

STAGE_STYLE: Final = {
    "presentation": "dim",
    "judgment": "yellow",
    "interaction": "cyan",
    "diffusion": "magenta",
}
ALERT_STYLE: Final = {
    AlertType.EMERGING: "bold green",
    AlertType.CONFIRMED: "bold red",
    AlertType.FADED: "dim",
    AlertType.STAGE_ENTERED: "",
}


@dataclass(slots=True)
class DemoState:
    """All that the board shows.

    Attributes:
        starts_ms, ends_ms: Event time of the scenario.
        total: Events in it.
        metrics_url: Where the worker's metrics are.
        board_url: Where the page is.
        phase: What is going on, in a few words.
        sent: Events sent so far.
        sent_ms: Event time of the last of them.
        board: The board as it was read last, or None.
        alerts: All alerts (CloudEvents), oldest first.
    """

    starts_ms: int
    ends_ms: int
    total: int
    metrics_url: str
    board_url: str
    phase: str = "starting"
    sent: int = 0
    sent_ms: int = 0
    board: Mapping[str, Any] | None = None
    alerts: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def decided_ms(self) -> int:
        """Up to which event time the monitor has decided."""
        return int(self.board["time_ms"]) if self.board else 0


def clock(time_ms: int) -> str:
    """Return a time as the scenario's people read it.

    >>> clock(1_693_371_600_000)
    '08-30 13:00'
    """
    if not time_ms:
        return "-"
    return f"{datetime.fromtimestamp(time_ms / 1000, CHINA):%m-%d %H:%M}"


def alert_time_ms(alert: Mapping[str, Any]) -> int:
    """Return the event time of an alert."""
    return int(datetime.fromisoformat(alert["time"]).astimezone(UTC).timestamp() * 1000)


def headline(alert: Mapping[str, Any]) -> str:
    """Say in one line what an alert says.

    >>> headline({"type": "hotspot.faded", "subject": "weibo/1", "data": {"reason": "a_b"}})
    'weibo/1 has faded: a b'
    """
    data = alert["data"]
    reason = str(data["reason"]).replace("_", " ")
    subject = alert["subject"]
    match alert["type"]:
        case AlertType.EMERGING:
            said = f" is emerging, probability {data['probability']:.2f}: {reason}"
        case AlertType.CONFIRMED:
            said = f" is a hotspot: {reason}"
        case AlertType.FADED:
            said = f" has faded: {reason}"
        case AlertType.COORDINATED_PUSH:
            said = f" may be pushed by accounts that act together: {reason}"
        case AlertType.GUIDANCE_EFFECT:
            said = f", after {data['action']['kind']}: {data['why']}"
        case AlertType.STAGE_ENTERED:
            said = _entered(data, reason)
        case guidance:
            what = guidance.rpartition(".")[2].replace("_", " ")
            said = f": {what} ({data['urgency']}): {reason}"
    return f"{subject}{said}"


def _entered(data: Mapping[str, Any], reason: str) -> str:
    if data["state"] == State.INTERRUPTED:
        return f" is interrupted in {data['stage']} ({data['route']}): {reason}"
    again = "again " if data["state"] == State.REVIVED else ""
    return f" {again}enters {data['stage']} ({data['route']}): {_why(data, reason)}"


def _why(data: Mapping[str, Any], reason: str) -> str:
    figures = data.get("figures", {})
    if not {"per_exposure", "null_per_exposure", "per_hour", "null_per_hour"} <= figures.keys():
        return reason
    # Of a visit whose own response is ordinary, the evidence is that of the visits before it.
    is_earlier = figures["per_exposure"] <= figures["null_per_exposure"]
    earlier = " (more in earlier visits)" if is_earlier else ""
    return (
        f"{figures['per_exposure']:.3g} per view against {figures['null_per_exposure']:.3g}"
        f"{earlier}, {figures['per_hour']:,.0f} an hour against {figures['null_per_hour']:,.0f}"
    )


def render(state: DemoState) -> RenderableType:
    """Return the whole screen."""
    return Group(_header(state), _hotspots(state), _alerts(state))


def _header(state: DemoState) -> RenderableType:
    whole = max(state.ends_ms - state.starts_ms, 1)
    done = min(max(state.sent_ms - state.starts_ms, 0), whole)
    line = Table.grid(padding=(0, 2))
    line.add_row(
        Text(state.phase, style="bold"),
        ProgressBar(total=whole, completed=done, width=30),
        f"sent up to {clock(state.sent_ms)} ({state.sent:,} events)",
        f"decided up to {clock(state.decided_ms)}",
    )
    page = Text(f"page {state.board_url}", style="bold")
    metrics = Text(f"metrics {state.metrics_url}", style="dim")
    return Panel(Group(line, page, metrics), title="hotspots")


def _hotspots(state: DemoState) -> RenderableType:
    table = Table(expand=True, title="What is hot, and what is emerging", title_justify="left")
    for name in ("#", "hotspot", "stage", "route", "state", "likely", "views", "an hour"):
        right = name in ("#", "likely", "views", "an hour")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    table.add_column("why", ratio=1)
    hotspots = state.board["hotspots"] if state.board else []
    for hotspot in hotspots[:BOARD_ROWS]:
        title = Text(f"{hotspot['title']}"[:28], style="bold" if hotspot["confirmed"] else "")
        title.append(f" {hotspot['videos']} videos" if hotspot["kind"] == "topic" else "", "dim")
        discovered = hotspot.get("discovered")  # a board of an earlier version has none
        title.append(f" {discovered} discovered" if discovered else "", "dim")
        table.add_row(
            str(hotspot["rank"]),
            title,
            Text(hotspot["stage"], style=STAGE_STYLE.get(hotspot["stage"], "")),
            hotspot["route"],
            hotspot["state"],
            f"{hotspot['probability']:.2f}",
            f"{hotspot['views']:,}",
            f"{hotspot['heat']:,.0f}",
            Text(str(hotspot["reason"]).replace("_", " "), style="dim"),
        )
    return table


def _alerts(state: DemoState) -> RenderableType:
    lines = [
        Text(
            f"{clock(alert_time_ms(alert))}  {headline(alert)}",
            style=ALERT_STYLE.get(alert["type"], ""),
            no_wrap=True,
            overflow="ellipsis",
        )
        for alert in state.alerts[: -ALERT_ROWS - 1 : -1]
    ]
    return Panel(Group(*lines), title=f"Alerts ({len(state.alerts)})", title_align="left")


class PlainBoard:
    """Writes what happens as lines: every alert once, and the progress twice a day (event time)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._alerts = 0
        self._phase = ""
        self._next_ms = 0

    def show(self, state: DemoState) -> None:
        """Write what is new."""
        if state.phase != self._phase:
            self._phase = state.phase
            self._say(f"{state.phase} (page {state.board_url}, metrics {state.metrics_url})")
        for alert in state.alerts[self._alerts :]:
            self._say(f"{clock(alert_time_ms(alert))}  {headline(alert)}")
        self._alerts = len(state.alerts)
        if state.sent_ms >= self._next_ms:
            self._next_ms = state.sent_ms - state.sent_ms % PLAIN_EVERY_MS + PLAIN_EVERY_MS
            self._say(
                f"{clock(state.sent_ms)}  {state.sent:,} events sent, decided up to "
                f"{clock(state.decided_ms)}, {len(state.alerts)} alerts"
            )

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
