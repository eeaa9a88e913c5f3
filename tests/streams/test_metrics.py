import re
import socket
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from models.alerts import ALERTS, Alert, AlertType
from models.batch_header import BatchKind
from models.events import RejectReason
from models.forecast_learning import Bias, Judgement
from models.steps import Output
from models.vocabulary import Juncture, Stage, State
from models.withheld import WithheldReason
from streams.errors import UserError
from streams.metrics import Agent, Metrics, MetricsServer, serve


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def server(metrics: Metrics) -> Iterator[MetricsServer]:
    with serve(metrics, "127.0.0.1", 0) as running:
        yield running


def scrape(server: MetricsServer) -> dict[tuple[str, tuple[str, ...]], float]:
    with urllib.request.urlopen(server.url, timeout=5) as answer:  # noqa: S310 - our own http address
        text = answer.read().decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_every_known_label_is_shown_at_zero_from_the_start(metrics: Metrics) -> None:
    for reason in RejectReason:
        assert value(metrics, "hotspots_rejects_total", reason=reason.value) == 0
    for kind in BatchKind:
        assert value(metrics, "hotspots_batches_total", kind=kind.value) == 0
    for alert in AlertType:
        assert value(metrics, "hotspots_alerts_total", type=alert.value) == 0
    for withheld in WithheldReason:
        assert value(metrics, "hotspots_withheld_total", reason=withheld.value) == 0
    for agent in Agent:
        name = "hotspots_checkpoint_duration_seconds_count"
        assert value(metrics, name, agent=agent.value) == 0
    for state in (State.INTERRUPTED, State.FADED, State.REVIVED):
        assert value(metrics, "hotspots_state_changes_total", state=state.value) == 0


def test_what_the_budget_withholds_is_counted_by_reason(metrics: Metrics) -> None:
    counts = {WithheldReason.BELOW_BAR: 2, WithheldReason.BUDGET_SPENT: 1}
    metrics.observe_withheld(counts)
    metrics.observe_withheld({WithheldReason.BELOW_BAR: 1})
    for reason, count in ((WithheldReason.BELOW_BAR, 3), (WithheldReason.BUDGET_SPENT, 1)):
        assert value(metrics, "hotspots_withheld_total", reason=reason.value) == count


def test_a_vertical_that_is_in_no_view_any_more_is_no_label_any_more(metrics: Metrics) -> None:
    food = {"vertical": "food", "works": 5, "emerging": 2, "hotspots": 1}
    sticky = {"stickiness": {"daily_over_monthly": 0.25}}
    metrics.observe_verticals([food, food | {"vertical": "film"} | sticky])
    (found,) = next(iter(metrics.vertical_stickiness.collect())).samples
    assert (found.labels["vertical"], found.value) == ("film", 0.25)
    metrics.observe_verticals([food | {"works": 6}])
    samples = next(iter(metrics.vertical_works.collect())).samples
    assert {(s.labels["vertical"], s.labels["works"]): s.value for s in samples} == {
        ("food", "all"): 6,
        ("food", "emerging"): 2,
        ("food", "hotspots"): 1,
    }


@pytest.mark.parametrize(
    ("stage", "juncture"),
    [
        (Stage.PRESENTATION, "none"),
        (Stage.JUDGMENT, Juncture.OUTBREAK.value),
        (Stage.INTERACTION, Juncture.SUBLIMATION.value),
        (Stage.DIFFUSION, Juncture.CONTINUATION.value),
    ],
)
def test_a_transition_is_counted_under_the_juncture_that_leads_there(
    metrics: Metrics, stage: Stage, juncture: str
) -> None:
    name, labels = "hotspots_transitions_total", {"stage": stage.name.lower(), "juncture": juncture}
    assert value(metrics, name, **labels) == 0
    metrics.observe_transition(stage, State.ACTIVE)
    metrics.observe_transition(stage, State.INTERRUPTED)
    assert value(metrics, name, **labels) == 1
    assert value(metrics, "hotspots_state_changes_total", state="interrupted") == 1


def test_alerts_and_the_transitions_they_tell_are_counted_as_they_are_written(
    metrics: Metrics,
) -> None:
    def alert(kind: AlertType, **data: object) -> Output:
        return Output(ALERTS, 0, b"k", Alert(kind, 1, "douyin/1", "1", data).to_bytes())

    video = {"stage": "judgment", "route": "contested", "juncture": "outbreak"}
    metrics.observe_outputs(
        [
            alert(AlertType.STAGE_ENTERED, **video, state="active"),
            alert(AlertType.STAGE_ENTERED, **video, state="revived"),
            alert(AlertType.FADED, **video | {"juncture": None}, state="faded"),
            alert(AlertType.FADED, stage="diffusion", topic="a work, not a video"),
            alert(AlertType.EMERGING, stage="judgment", probability=0.8),
            Output("learned", 0, b"k", b"no alert"),
            Output(ALERTS, 0, b"k", None),
        ]
    )
    counted = {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.value
    }
    assert counted == {
        ("hotspots_alerts_total", "hotspot.stage.entered"): 2,
        ("hotspots_alerts_total", "hotspot.faded"): 2,
        ("hotspots_alerts_total", "hotspot.emerging"): 1,
        ("hotspots_transitions_total", "judgment", "outbreak"): 1,
        ("hotspots_state_changes_total", "revived"): 1,
        ("hotspots_state_changes_total", "faded"): 1,
    }


def test_chunks_are_measured_in_messages_and_bytes(metrics: Metrics) -> None:
    metrics.observe_chunk(Agent.INTAKE, [b"four", None, b"", b"sixsix"])
    assert value(metrics, "hotspots_chunk_messages_sum", agent="intake") == 4
    assert value(metrics, "hotspots_chunk_bytes_sum", agent="intake") == 10
    assert value(metrics, "hotspots_chunk_bytes_count", agent="intake") == 1


def test_a_partition_that_is_gone_leaves_nothing_behind(metrics: Metrics) -> None:
    for partition in (0, 1):
        metrics.observe_videos(partition, {Stage.JUDGMENT: 3})
        metrics.rows.labels("stages", partition).set(6)
        metrics.watermark_delay.labels(partition).set(7)
    metrics.revoke(Agent.STAGES, 0)
    left = {
        sample.labels["partition"]
        for family in metrics.registry.collect()
        for sample in family.samples
        if "partition" in sample.labels
    }
    assert left == {"1"}
    assert value(metrics, "hotspots_videos", partition="1", stage="judgment") == 3
    assert value(metrics, "hotspots_videos", partition="1", stage="diffusion") == 0
    metrics.revoke(Agent.STAGES, 0)


def test_a_judgement_is_shown_while_its_worker_owns_what_it_judges(metrics: Metrics) -> None:
    metrics.observe_judgement(Judgement(0.5, 0.25, 0.1, Bias(-0.2, 0.03), Bias(0.01, 0.02)))
    shown = {
        "without it": {"log_loss": 0.5, "bias": -0.2, "bias_error": 0.03},
        "candidate": {"log_loss": 0.25, "bias": 0.01, "bias_error": 0.02},
    }
    for forecast, figures in shown.items():
        for name, expected in figures.items():
            assert value(metrics, f"hotspots_forecast_{name}", forecast=forecast) == expected
    metrics.revoke(Agent.HOTSPOTS, 0)
    assert value(metrics, "hotspots_forecast_bias", forecast="candidate") is None
    assert value(metrics, "hotspots_forecast_bias_error", forecast="candidate") is None


def test_names_carry_base_units_and_no_id_is_a_label(metrics: Metrics) -> None:
    families = list(metrics.registry.collect())
    assert len(families) > 15
    for family in families:
        assert re.fullmatch(r"hotspots_[a-z_]+", family.name)
        assert not re.search(r"_(ms|millis|kb|mb|minutes|hours)\b", family.name)
        assert family.documentation.endswith(".")
    known = {
        "reason",
        "kind",
        "partition",
        "stage",
        "juncture",
        "state",
        "type",
        "topic",
        "outcome",
        "what",
        "forecast",
        "agent",
        "version",
        "le",
    }
    labels = {name for family in families for sample in family.samples for name in sample.labels}
    assert labels <= known


def test_metrics_are_served_and_the_port_is_free_again_afterwards(metrics: Metrics) -> None:
    with serve(metrics, "127.0.0.1", 0) as server:
        metrics.events.inc(41)
        assert scrape(server)["hotspots_events_total", ()] == 41
        port = server.port
    with serve(metrics, "127.0.0.1", port) as again:
        assert scrape(again)["hotspots_events_total", ()] == 41


def test_two_workers_in_one_process_do_not_share_a_registry(server: MetricsServer) -> None:
    Metrics(CollectorRegistry()).events.inc(5)
    assert scrape(server)["hotspots_events_total", ()] == 0


def test_a_taken_port_is_told_in_one_line(metrics: Metrics, server: MetricsServer) -> None:
    with pytest.raises(UserError) as caught:
        serve(metrics, "127.0.0.1", server.port)
    (line,) = caught.value.lines
    assert line == (
        f"port {server.port} on 127.0.0.1 is taken (HOTSPOTS_METRICS_HOST, HOTSPOTS_METRICS_PORT): "
        "choose another, or 0 for no metrics"
    )


def test_an_address_of_another_machine_is_told_in_one_line(metrics: Metrics) -> None:
    # 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    with pytest.raises(UserError, match=r"cannot be served on 192\.0\.2\.1:9464"):
        serve(metrics, "192.0.2.1", 9464)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_ipv6_address_is_written_in_brackets(metrics: Metrics) -> None:
    try:
        server = serve(metrics, "::1", 0)
    except UserError as error:
        pytest.skip(f"no IPv6 loopback here: {error}")
    with server:
        assert server.url == f"http://[::1]:{server.port}/metrics"
        assert scrape(server)["hotspots_events_total", ()] == 0
