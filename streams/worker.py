"""The product's worker: its own steps, its board, its metrics; what `hotspots worker` runs."""

import time
from typing import NoReturn

from prometheus_client import CollectorRegistry, ProcessCollector

from models.events import DecodingLimits
from models.intake import Intake
from models.warming_up import warm_up
from streams.agents.guidance import guidance_factory, guidance_observer
from streams.agents.hotspots import hotspots_factory, hotspots_observer
from streams.agents.stages import stages_factory, stages_observer
from streams.assembly import Steps, WorkerApp, build_app
from streams.delivery.board_store import BoardStore
from streams.delivery.hooks import usable_receivers
from streams.forecasters import forecaster_of, require_learning
from streams.metrics import Metrics
from streams.running import run_app
from streams.settings import Settings


def product_app(settings: Settings) -> WorkerApp:
    """Return the app with the product's own steps.

    Raises:
        UserError: A setting cannot be used.
    """
    metrics = Metrics(CollectorRegistry())
    # Memory, CPU, open files and the start of this process, under the names that every client uses.
    ProcessCollector(registry=metrics.registry)
    parameters = settings.parameters()
    require_learning(settings)
    forecaster = forecaster_of(settings)
    steps = Steps(
        intake=Intake(
            settings.partitions,
            settings.actor_key.get_secret_value().encode(),
            DecodingLimits(max_ahead_ms=settings.max_ahead_ms),
        ),
        stages=stages_factory(parameters, forecaster),
        hotspots=hotspots_factory(parameters, forecaster.name),
        guidance=guidance_factory(settings.decoding_limits()),
        observe_stages=stages_observer(metrics, lambda: time.time_ns() // 1_000_000),
        observe_hotspots=hotspots_observer(metrics),
        observe_guidance=guidance_observer(metrics),
        warm_up=warm_up,
    )
    store = (
        BoardStore(settings.redis, settings.board_key, settings.board_expire_s)
        if settings.redis
        else None
    )
    receivers = usable_receivers(settings)
    return build_app(settings, steps, store=store, metrics=metrics, receivers=receivers)


def run_worker(settings: Settings) -> NoReturn:
    """Run a worker until it is told to stop.

    Raises:
        UserError: A setting cannot be used.
    """
    run_app(product_app(settings))
