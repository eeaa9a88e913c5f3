"""What is watched in a worker: its partitions, their commits, the recovery, and Kafka."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from streams.liveness import Liveness, Reading, Watch
from streams.metrics import Agent

if TYPE_CHECKING:
    from streams.assembly import WorkerApp
    from streams.stateful import StatefulPartitions
    from streams.transport.consumer import LedgerConsumer

WORKER: Final = "worker"
"""Names what belongs to no agent."""


def worker_liveness(app: "WorkerApp", *, stall_s: float) -> Liveness:
    """Return what watches a worker that is about to start."""
    watches = [
        Watch(WORKER, partial(_worker, app)),
        Watch(Agent.INTAKE, partial(_intake, app)),
        *(Watch(host.agent, partial(_stateful, app, host)) for host in app.stateful),
        # A board that is down is not brought back by starting workers anew.
        Watch(
            Agent.DELIVERY,
            lambda: _partitions(app.consumer, app.delivery.topics),
            restart_helps=False,
        ),
    ]
    return Liveness(
        watches,
        is_ready=lambda: is_ready(app),
        stall_s=stall_s,
        metrics=app.worker_metrics,
        clock=time.monotonic,
    )


def is_ready(app: "WorkerApp") -> bool:
    """Tell whether the worker has taken its share of partitions and processes it."""
    if app.rebalancing or not all(host.is_recovered for host in app.hosts):
        return False
    # More workers than partitions: one that gets none is ready to take over.
    return app.consumer.ledger.is_open or not app.consumer.assignment()


def _worker(app: "WorkerApp") -> Mapping[str, Reading]:
    return {
        "Kafka": Reading(None, has_work=app.learned.is_kafka_silent, at="silent"),
        "rebalance": Reading(app.consumer.assignments, has_work=app.rebalancing),
    }


def _intake(app: "WorkerApp") -> Mapping[str, Reading]:
    began_s = app.consumer.committing_since_s
    return {
        **_partitions(app.consumer, app.intake.topics),
        "commit of offsets": Reading(began_s, has_work=began_s is not None),
    }


def _stateful(app: "WorkerApp", host: "StatefulPartitions") -> Mapping[str, Reading]:
    missing = host.missing()
    return {
        **_partitions(app.consumer, host.topics, host.learned_so_far),
        "recovery": Reading(missing, has_work=bool(missing), at=missing),
        **{
            f"transaction of {host.topic}-{partition}": Reading(since_s, has_work=True)
            for partition, since_s in host.transactions_since_s().items()
        },
    }


def _partitions(
    consumer: "LedgerConsumer",
    topics: Sequence[str],
    learned_so_far: Callable[[int], int] = lambda _partition: 0,
) -> Mapping[str, Reading]:
    """Read how far partitions are processed; who learns at length moves with what it has learned.

    One that is held waits for what others learn or read, and is no stall: the metric
    hotspots_held_partitions shows it.
    """
    ledger = consumer.ledger
    readings = {}
    for topic in topics:
        for partition in ledger.partitions(topic):
            expected = ledger.expected(partition)
            end = consumer.stable_end(partition)
            is_behind = expected is not None and end is not None and expected < end
            readings[f"{topic}-{partition.partition}"] = Reading(
                (expected, ledger.done(partition), learned_so_far(partition.partition)),
                has_work=not ledger.is_held(partition)
                and (is_behind or not ledger.is_at_rest(partition)),
                at=f"at {expected} of {end}",
            )
    return readings
