"""All hooks of a worker: each route runs by itself, so that one that stands delays no other."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from models.alerts import Alert, AlertType
from streams.delivery.alert_log import AlertLog, DeadLetters
from streams.delivery.alertmanager import AlertmanagerHook, tell_once
from streams.delivery.attempts import Attempt
from streams.delivery.chat import ChatSender, service_of
from streams.delivery.message_hook import MessageHook
from streams.delivery.route_run import RouteRun, Surroundings
from streams.delivery.routes import WHERE, Receiver, RouteKind, read_receivers
from streams.delivery.webhook import Sender, WebhookSender
from streams.ending import ending_worker
from streams.errors import Problem, UserError
from streams.security import client_options
from streams.settings import Settings
from streams.topics import Topic

if TYPE_CHECKING:
    from streams.metrics import Metrics

TEST_TYPE: Final = "hotspot.test"
"""What `hotspots hooks test` sends; no other alert has this type."""


def group_of(app_id: str, route: str) -> str:
    """Return the consumer group that holds the position of a route.

    >>> group_of("hotspots", "desk")
    'hotspots-hooks-desk'
    """
    return f"{app_id}-hooks-{route}"


def hook_groups(settings: Settings, receivers: Sequence[Receiver]) -> list[str]:
    """Return the consumer groups of some routes."""
    return [group_of(settings.app_id, receiver.route.name) for receiver in receivers]


def usable_receivers(settings: Settings) -> tuple[Receiver, ...]:
    """Return the receivers that HOTSPOTS_HOOKS names, none when it is empty.

    Raises:
        UserError: With one problem for each thing that is wrong.
    """
    receivers = read_receivers(settings.hooks)
    problems = []
    for receiver in receivers:
        if receiver.route.kind is RouteKind.CHAT:
            try:
                service_of(receiver)
            except ValueError as error:
                problems.append(Problem(f"route {receiver.route.name}: {error}", WHERE))
    if problems:
        raise UserError.of(problems)
    return receivers


def clock_ms() -> int:
    """Return the wall clock: delivery is the one place that reads it."""
    return time.time_ns() // 1_000_000


class Hooks:
    """The routes of a worker."""

    def __init__(
        self,
        receivers: Sequence[Receiver],
        settings: Settings,
        topics: Mapping[str, str],
        metrics: "Metrics",
    ) -> None:
        """Connect to nothing yet."""
        self._receivers = receivers
        self._settings = settings
        self._topic = topics[Topic.ALERTS]
        self._options = client_options(settings)
        self._dead_letters = DeadLetters(topics[Topic.UNDELIVERED], self._options)
        self._around = Surroundings(
            dead_letters=self._dead_letters,
            metrics=metrics,
            clock_ms=clock_ms,
            age_max_ms=settings.hook_age_max_ms,
        )
        self._running: dict[str, tuple[RouteRun, asyncio.Task[None]]] = {}
        metrics.show_routes(receiver.route.name for receiver in receivers)

    async def start(self) -> None:
        """Begin to deliver; a defect in a route ends the worker, a receiver that fails does not."""
        for receiver in self._receivers:
            name = receiver.route.name
            hook = hook_of(receiver, self._log_of(receiver), self._around)
            await hook.start()
            self._running[name] = (hook, asyncio.create_task(self._run(name, hook)))

    async def _run(self, name: str, hook: RouteRun) -> None:
        with ending_worker(f"the hooks of route {name}"):
            await hook.run()

    def _log_of(self, receiver: Receiver) -> AlertLog:
        return AlertLog(
            topic=self._topic,
            group=group_of(self._settings.app_id, receiver.route.name),
            options=self._options,
            session_timeout_ms=self._settings.session_timeout_ms,
            instance_id=self._settings.instance_id,
        )

    async def stop(self) -> None:
        """Stop delivering; what was under way is delivered again after the next start."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(
            *(hook.stop() for hook, _ in self._running.values()), self._dead_letters.stop()
        )
        self._running.clear()


def hook_of(receiver: Receiver, alerts: AlertLog, around: Surroundings) -> RouteRun:
    """Return what runs a route."""
    if receiver.route.kind is RouteKind.ALERTMANAGER:
        return AlertmanagerHook(receiver, alerts, around)
    return MessageHook(receiver, sender_of(receiver), alerts, around)


def sender_of(receiver: Receiver) -> Sender:
    """Return what hands one alert to a webhook or a chat."""
    if receiver.route.kind is RouteKind.WEBHOOK:
        return WebhookSender(receiver, clock_ms)
    return ChatSender(receiver)


async def send_test(receiver: Receiver) -> Attempt:
    """Send a test alert to a receiver, once, whatever its filters say."""
    alert = trial_alert(clock_ms())
    if receiver.route.kind is RouteKind.ALERTMANAGER:
        return await tell_once(receiver, alert, clock_ms)
    sender = sender_of(receiver)
    try:
        return await sender.send(alert)
    finally:
        await sender.close()


def trial_alert(now_ms: int) -> dict[str, Any]:
    """Return an alert that says that it is a test."""
    data = {
        "video_id": "test",
        "platform": "test",
        "title": "A test of hooks",
        "reason": "test",
        "probability": 1.0,
        "why": "Sent by `hotspots hooks test`: nothing has happened.",
    }
    alert = Alert(AlertType.EMERGING, now_ms, "test/test", "hooks test", data)
    return {**alert.to_event(), "type": TEST_TYPE}
