"""The metrics: what a worker counts and how it is served on `/metrics`.

Base units; every label comes from a closed set, is the number of a partition or one of at most
MOST_VERTICALS verticals (models/views.py), never the id of a video or a person; but the hotspots at
the top of the board are named (streams/top_hotspots.py).
docs/metrics.md is generated from this file (streams/reference.py) and tested for drift.
"""

import errno
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, start_http_server

from models.alerts import ALERTS, AlertType
from models.batch_header import BatchKind
from models.events import RejectReason
from models.ranking import BOARD
from models.steps import Output
from models.vocabulary import JUNCTURE_INTO, Stage, State
from models.withheld import WithheldReason
from streams.delivery.hook_metrics import HookMetrics
from streams.errors import UserError
from streams.top_hotspots import TopHotspots

if TYPE_CHECKING:
    from models.forecast_learning import Judgement

CHECKPOINT_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""prometheus-client's default buckets from 5 ms on: a transaction takes two round trips at least,
and a worker has 10 s to end."""
LEARNING_SECONDS: Final = (0.001, 0.01, 0.1, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""An epoch in which no forecast is learned takes milliseconds, one in which one is 5 to 10 s."""
RECOVERY_SECONDS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""A changelog of 138,573 rows was read in 0.6 s; a hundred times as many should show."""
CHUNK_MESSAGES: Final = (1, 10, 100, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000)
"""1 MiB of events of 145 bytes, what is fetched at a time, are 7,200."""
CHUNK_BYTES: Final = (1_024, 16_384, 131_072, 524_288, 1_048_576, 2_097_152, 8_388_608)
"""Up to 8 MiB, the largest message of our own topics."""
NO_JUNCTURE: Final = "none"
"""Stands in the label `juncture` for the first stage, which no juncture leads to."""


class Agent(StrEnum):
    """The five agents, as a label."""

    INTAKE = "intake"
    STAGES = "stages"
    GUIDANCE = "guidance"
    HOTSPOTS = "hotspots"
    DELIVERY = "delivery"


class Delivered(StrEnum):
    """What delivery hands on, as a label."""

    ALERTS = "alerts"
    BOARD = "board"


DELIVERY_OUTCOMES: Final = ("delivered", "failed")
"""What comes of an attempt to hand something on."""
STATEFUL_AGENTS: Final = (Agent.STAGES, Agent.GUIDANCE, Agent.HOTSPOTS)
"""Those that keep rows, recover them and can be held."""
CANDIDATE_OUTCOMES: Final = ("adopted", "not better")
"""What becomes of a forecast that was learned in the stream."""
VERTICAL_WORKS: Final = {"all": "works", "emerging": "emerging", "hotspots": "hotspots"}
"""How far works have come, as a label, and the field of a view (models/views.py) that says so."""
STATE_CHANGES: Final = (State.INTERRUPTED, State.FADED, State.REVIVED)
"""What a video can become; it is active from the start."""


def juncture_label(stage: Stage) -> str:
    """Return the juncture that leads into `stage`, as the label says it.

    >>> juncture_label(Stage.JUDGMENT)
    'outbreak'
    """
    juncture = JUNCTURE_INTO.get(stage)
    return juncture.value if juncture else NO_JUNCTURE


class Metrics(HookMetrics):
    """All metrics of one worker, in `registry`.

    Counters and histograms are attributes, to be used as prometheus-client has it
    (`metrics.events.inc(n)`). What belongs to a partition is set through `assign`, `observe_*` and
    ends with `revoke`, so that no figure outlives its owner.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._add_intake()
        self._add_decisions()
        self._add_running()
        self._add_hooks()
        self._initialise_labels()

    def _add_intake(self) -> None:
        self.events = Counter(
            "hotspots_events",
            "Valid events that intake has passed on (a pre-counted event is one).",
            registry=self.registry,
        )
        self.rejects = Counter(
            "hotspots_rejects",
            "Messages that intake has rejected, by reason (docs/events.md).",
            ["reason"],
            registry=self.registry,
        )
        self.batches = Counter(
            "hotspots_batches",
            "Messages that intake has written to engagement-batches, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.batches_repeated = Counter(
            "hotspots_batches_repeated",
            "Batches that stages has dropped because it had them before (after a crash of intake).",
            registry=self.registry,
        )
        self.actions = Counter(
            "hotspots_actions",
            "Actions on hotspots that people told on guidance-actions (docs/actions.md).",
            registry=self.registry,
        )
        self.action_rejects = Counter(
            "hotspots_action_rejects",
            "Messages on guidance-actions that were refused, by reason (docs/events.md).",
            ["reason"],
            registry=self.registry,
        )
        self.events_late = Counter(
            "hotspots_events_late",
            "Events behind the watermark of their source partition: counted in totals only.",
            registry=self.registry,
        )
        self.events_repeated = Counter(
            "hotspots_events_repeated",
            "Events dropped because their event_id came before within the window.",
            registry=self.registry,
        )

    def _add_decisions(self) -> None:
        self.videos = Gauge(
            "hotspots_videos",
            "Videos followed, by the stage they are in.",
            ["partition", "stage"],
            registry=self.registry,
        )
        self.transitions = Counter(
            "hotspots_transitions",
            "Transitions of videos into a stage, by the juncture that leads there.",
            ["stage", "juncture"],
            registry=self.registry,
        )
        self.state_changes = Counter(
            "hotspots_state_changes",
            "Videos that became interrupted, faded or revived.",
            ["state"],
            registry=self.registry,
        )
        self.forecast_candidates = Counter(
            "hotspots_forecast_candidates",
            "Forecasts that were learned from the stream and held against what is said without, by "
            "what became of them: adopted as a version, or not better.",
            ["outcome"],
            registry=self.registry,
        )
        self.forecast_moments = Gauge(
            "hotspots_forecast_moments",
            "Moments to learn forecasts from: kept now, and matured so far.",
            ["state"],
            registry=self.registry,
        )
        self.forecast_log_loss = Gauge(
            "hotspots_forecast_log_loss",
            "Mean loss (minus the logarithm of what was given to what happened) of the last "
            "candidate and of what is said without it, on the newest moments that have matured.",
            ["forecast"],
            registry=self.registry,
        )
        self.forecast_bias = Gauge(
            "hotspots_forecast_bias",
            "Mean probability minus the share that happened, on the same moments: above 0, too "
            "much was promised.",
            ["forecast"],
            registry=self.registry,
        )
        self.forecast_bias_error = Gauge(
            "hotspots_forecast_bias_error",
            "Standard error of hotspots_forecast_bias.",
            ["forecast"],
            registry=self.registry,
        )
        self.alerts = Counter(
            "hotspots_alerts",
            "Alerts written to the topic alerts, by type (docs/alerts.md).",
            ["type"],
            registry=self.registry,
        )

        self.discoveries = Counter(
            "hotspots_discoveries",
            "Videos discovered (docs/detection.md), one for each video and epoch.",
            registry=self.registry,
        )
        self.tested_videos = Gauge(
            "hotspots_tested_videos",
            "Videos among which those of the latest epoch were discovered.",
            registry=self.registry,
        )
        self.vertical_works = Gauge(
            "hotspots_vertical_works",
            "Works of a vertical that there is something to say of, by how far they have come: all "
            "of them, those that are emerging, those that are hotspots (docs/views.md).",
            ["vertical", "works"],
            registry=self.registry,
        )
        self.vertical_stickiness = Gauge(
            "hotspots_vertical_stickiness",
            "Daily over monthly active people of a vertical (docs/views.md); absent: too few.",
            ["vertical"],
            registry=self.registry,
        )
        self._verticals: set[str] = set()
        self.top = TopHotspots(self.registry)
        self.merged_topics = Gauge(
            "hotspots_merged_topics",
            "Pairs of topics that are one work under two names (docs/topics.md).",
            registry=self.registry,
        )
        self.withheld = Counter(
            "hotspots_withheld",
            "Alerts withheld, by reason: because of HOTSPOTS_ALERTS_PER_DAY (docs/budget.md) or of "
            "a suspicion (docs/integrity.md); one "
            "that is told later stays counted.",
            ["reason"],
            registry=self.registry,
        )

    def _add_running(self) -> None:
        self.lag = Gauge(
            "hotspots_lag_messages",
            "Messages of a partition that are not yet processed; topics have their logical names, "
            "without a prefix (docs/architecture.md).",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.watermark_delay = Gauge(
            "hotspots_watermark_delay_seconds",
            "How far the watermark of a partition lies behind the clock (large in a replay).",
            ["partition"],
            registry=self.registry,
        )
        self.rows = Gauge(
            "hotspots_rows",
            "Rows kept in memory: videos for stages, works and their videos for hotspots.",
            ["agent", "partition"],
            registry=self.registry,
        )
        self.held_partitions = Gauge(
            "hotspots_held_partitions",
            "Partitions that wait for a learned version.",
            ["agent"],
            registry=self.registry,
        )
        self.chunk_messages = Histogram(
            "hotspots_chunk_messages",
            "Messages in a fetched chunk.",
            ["agent"],
            buckets=CHUNK_MESSAGES,
            registry=self.registry,
        )
        self.chunk_bytes = Histogram(
            "hotspots_chunk_bytes",
            "Bytes of the values in a fetched chunk.",
            ["agent"],
            buckets=CHUNK_BYTES,
            registry=self.registry,
        )
        self.checkpoint_duration = Histogram(
            "hotspots_checkpoint_duration_seconds",
            "From the cut to the acknowledged commit.",
            ["agent"],
            buckets=CHECKPOINT_SECONDS,
            registry=self.registry,
        )
        self.recovery_duration = Histogram(
            "hotspots_recovery_duration_seconds",
            "Reading the changelog of one partition after it was assigned.",
            ["agent"],
            buckets=RECOVERY_SECONDS,
            registry=self.registry,
        )
        self.learning_duration = Histogram(
            "hotspots_learning_duration_seconds",
            "Learning from an epoch that has ended, beside the event loop; long when a forecast is "
            "learned.",
            buckets=LEARNING_SECONDS,
            registry=self.registry,
        )
        self.delivery_attempts = Counter(
            "hotspots_delivery_attempts",
            "Attempts to hand alerts or the board to Redis, by what came of them; what failed is "
            "tried again.",
            ["what", "outcome"],
            registry=self.registry,
        )
        self.stalled = Gauge(
            "hotspots_stalled",
            "1 when an agent has not moved for HOTSPOTS_STALL_MS although there is work, else 0.",
            ["agent"],
            registry=self.registry,
        )
        self.progress_age = Gauge(
            "hotspots_progress_age_seconds",
            "For how long the slowest part of an agent has not moved although there is work.",
            ["agent"],
            registry=self.registry,
        )
        self.build = Info("hotspots_build", "The version that runs.", registry=self.registry)
        self.build.info({"version": version("hotspots")})

    def _initialise_labels(self) -> None:
        """Show every counter at 0 from the start: a rate needs the point before the first event."""
        for stage in Stage:
            self.transitions.labels(stage.name.lower(), juncture_label(stage))
        for state in STATE_CHANGES:
            self.state_changes.labels(state.value)
        for reason in RejectReason:
            self.rejects.labels(reason.value)
            self.action_rejects.labels(reason.value)
        for kind in BatchKind:
            self.batches.labels(kind.value)
        for alert_type in AlertType:
            self.alerts.labels(alert_type.value)
        for outcome in CANDIDATE_OUTCOMES:
            self.forecast_candidates.labels(outcome)
        for withheld_reason in WithheldReason:
            self.withheld.labels(withheld_reason.value)
        self._initialise_agents()

    def _initialise_agents(self) -> None:
        for agent in Agent:
            self.chunk_messages.labels(agent.value)
            self.chunk_bytes.labels(agent.value)
            self.checkpoint_duration.labels(agent.value)
        for what in Delivered:
            for delivery_outcome in DELIVERY_OUTCOMES:
                self.delivery_attempts.labels(what.value, delivery_outcome)
        for agent in STATEFUL_AGENTS:
            self.recovery_duration.labels(agent.value)
            self.held_partitions.labels(agent.value)

    def observe_transition(self, stage: Stage, state: State) -> None:
        """Count one transition: into a stage, or, when the state is not active, into a state."""
        if state is State.ACTIVE:
            self.transitions.labels(stage.name.lower(), juncture_label(stage)).inc()
        else:
            self.state_changes.labels(state.value).inc()

    def observe_outputs(self, outputs: Iterable[Output]) -> None:
        """Count alerts and transitions that a checkpoint has written, and name the board's top."""
        for output in outputs:
            if output.value is None:
                continue
            if output.topic == BOARD:
                self.top.show(json.loads(output.value)["hotspots"])
            if output.topic != ALERTS:
                continue
            alert = json.loads(output.value)
            self.alerts.labels(AlertType(alert["type"]).value).inc()
            # A video's transition carries the juncture that led to it, also when there was none;
            # what is told of works (topics) does not.
            if "juncture" in alert["data"]:
                data = alert["data"]
                self.observe_transition(Stage[data["stage"].upper()], State(data["state"]))

    def observe_withheld(self, counts: Mapping[WithheldReason, int]) -> None:
        """Count alerts that were withheld, by reason."""
        for reason, count in counts.items():
            self.withheld.labels(reason.value).inc(count)

    def observe_verticals(self, verticals: Iterable[Mapping[str, Any]]) -> None:
        """Set how many works each vertical of the latest views has; others are dropped."""
        shown = {str(one["vertical"]): one for one in verticals}
        for vertical in self._verticals - shown.keys():
            for works in VERTICAL_WORKS:
                self.vertical_works.remove(vertical, works)
        for vertical, one in shown.items():
            for works in VERTICAL_WORKS:
                self.vertical_works.labels(vertical, works).set(one[VERTICAL_WORKS[works]])
        self._verticals = set(shown)
        self.vertical_stickiness.clear()
        for vertical, one in shown.items():
            if "stickiness" in one:
                share = one["stickiness"]["daily_over_monthly"]
                self.vertical_stickiness.labels(vertical).set(share)

    def observe_videos(self, partition: int, videos: Mapping[Stage, int]) -> None:
        """Set how many videos of a partition of stages are in each stage; absent ones are 0."""
        for stage in Stage:
            self.videos.labels(partition, stage.name.lower()).set(videos.get(stage, 0))

    def observe_actions(self, accepted: int, rejects: Mapping[RejectReason, int]) -> None:
        """Count what was told on guidance-actions."""
        self.actions.inc(accepted)
        for reason, count in rejects.items():
            self.action_rejects.labels(reason.value).inc(count)

    def observe_candidates(self, judged: int, adopted: int) -> None:
        """Count forecasts that were learned, and those of them that were adopted."""
        self.forecast_candidates.labels("adopted").inc(adopted)
        self.forecast_candidates.labels("not better").inc(judged - adopted)

    def observe_judgement(self, judgement: "Judgement") -> None:
        """Show how good the last candidate was, and what is said without it."""
        for forecast, loss, bias in (
            ("without it", judgement.first, judgement.first_bias),
            ("candidate", judgement.candidate, judgement.candidate_bias),
        ):
            self.forecast_log_loss.labels(forecast).set(loss)
            self.forecast_bias.labels(forecast).set(bias.mean)
            self.forecast_bias_error.labels(forecast).set(bias.error)

    def observe_delivery(self, what: Delivered, *, failed: bool) -> None:
        """Count one attempt to hand something on."""
        self.delivery_attempts.labels(what.value, "failed" if failed else "delivered").inc()

    def observe_progress(self, agent: str, idle_s: float, *, stalled: bool) -> None:
        """Set for how long an agent (or "worker") stands, and whether that is too long."""
        self.progress_age.labels(agent).set(idle_s)
        self.stalled.labels(agent).set(stalled)

    def observe_chunk(self, agent: Agent, values: Iterable[bytes | None]) -> None:
        """Record the size of one fetched chunk."""
        sizes = [len(value) if value else 0 for value in values]
        self.observe_packed_chunk(agent, len(sizes), sum(sizes))

    def observe_packed_chunk(self, agent: Agent, messages: int, value_bytes: int) -> None:
        """Record the size of one fetched chunk whose values are not listed."""
        self.chunk_messages.labels(agent.value).observe(messages)
        self.chunk_bytes.labels(agent.value).observe(value_bytes)

    def revoke(self, agent: Agent, partition: int) -> None:
        """Forget the figures of a partition that another worker owns now."""
        if agent in STATEFUL_AGENTS:
            self.rows.remove(agent.value, partition)
        if agent is Agent.HOTSPOTS:
            self.forecast_moments.clear()
            self.forecast_log_loss.clear()
            self.forecast_bias.clear()
            self.forecast_bias_error.clear()
            self.top.show(())
        if agent is Agent.STAGES:
            self.watermark_delay.remove(partition)
            for stage in Stage:
                self.videos.remove(partition, stage.name.lower())


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """A running `/metrics`; `stop` ends it, and so does leaving it as a context."""

    host: str
    port: int
    _server: WSGIServer
    _thread: Thread

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/metrics"

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


Answer = Callable[[], tuple[bool, str]]
"""Tells whether something is well, and one line; called in a thread of the server."""


def _answering(metrics_app: Any, answers: Mapping[str, Answer]) -> Any:  # noqa: ANN401 - WSGI
    def application(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401 - WSGI
        answer = answers.get(environ["PATH_INFO"])
        if answer is None:
            return metrics_app(environ, start_response)
        is_well, line = answer()
        status = "200 OK" if is_well else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{line}\n".encode()]

    return application


def serve(
    metrics: Metrics, host: str, port: int, answers: Mapping[str, Answer] | None = None
) -> MetricsServer:
    """Serve `/metrics` in a thread of its own; port 0 takes any free one.

    `answers` are other paths: 200 when all is well, else 503, with one line.

    (The setting `HOTSPOTS_METRICS_PORT=0` means "off": the caller then does not call this.)

    Raises:
        UserError: The port is taken, may not be used, or the host is not one of this machine.
    """
    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        where = "HOTSPOTS_METRICS_HOST, HOTSPOTS_METRICS_PORT"
        if error.errno == errno.EADDRINUSE:
            what, remedy = f"port {port} on {host} is taken", "choose another, or 0 for no metrics"
        elif error.errno == errno.EACCES:
            what, remedy = f"port {port} may not be used", "choose one from 1024 on, or 0"
        else:
            what = f"metrics cannot be served on {host}:{port}, {error.strerror}"
            remedy = "choose an address of this machine, such as 127.0.0.1 or 0.0.0.0"
        raise UserError(what, where, remedy) from error
    server.set_app(_answering(server.get_app(), answers or {}))
    return MetricsServer(host, int(server.server_port), server, thread)
