"""What every route does, whatever it delivers to: it reads the alerts from its position on."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.delivery.alert_log import AlertLog, Clock, DeadLetters, LostError
from streams.delivery.attempts import RETRIES_MS
from streams.delivery.hook_metrics import HookFate, HookMetrics
from streams.delivery.hook_position import HookPosition
from streams.delivery.routes import Receiver

if TYPE_CHECKING:
    from streams.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all routes of a worker share.

    Attributes:
        dead_letters: Where that goes which cannot be delivered.
        metrics: Where it is counted.
        clock_ms: The wall clock: when attempts are due, and what signatures carry.
        age_max_ms: An alert that was older than this when it was written wakes nobody.
        schedule: Waits between attempts (streams/delivery/attempts.py).
        chance: From 0 to below 1, for the jitter of the schedule.
    """

    dead_letters: DeadLetters
    metrics: "Metrics"
    clock_ms: Clock
    age_max_ms: int
    schedule: Sequence[int] = RETRIES_MS
    chance: Callable[[], float] = random.random


class RouteRun(ABC):
    """One route: its position in the alerts, loaded anew whenever the partition comes back."""

    def __init__(self, receiver: Receiver, alerts: AlertLog, around: Surroundings) -> None:
        self._receiver = receiver
        self._route = receiver.route
        self._log = alerts
        self._around = around
        self._metrics: HookMetrics = around.metrics
        self._position: HookPosition | None = None
        self._committed = ""

    async def start(self) -> None:
        """Join the group of the route."""
        await self._log.start()

    async def stop(self) -> None:
        """Close the connections; what was under way is delivered again."""
        await self._log.stop()
        await self._disconnect()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            try:
                await self._turn()
            except LostError:
                self._position = None

    async def _turn(self) -> None:
        """Do the next thing, or load the position first."""
        position = self._position
        if position is None or not self._log.is_ours:
            self._position = await self._load()
        else:
            await self._go_on(position)

    async def _load(self) -> HookPosition | None:
        """Return the position and read from it on; None as long as another worker has it."""
        position = await self._log.load()
        self._forget()
        if position is None:
            self._show(None)
            return None
        begin = await self._begin(position)
        if position.next_offset < 0:
            position.next_offset = begin
            # Kept at once: a worker that is down for hours before the first alert misses none.
            await self._log.commit(position)
        self._log.seek(min(begin, position.first_offset))
        self._committed = position.metadata()
        self._show(position)
        return position

    async def _commit(self, position: HookPosition) -> None:
        self._show(position)
        if (metadata := position.metadata()) != self._committed:
            await self._log.commit(position)
            self._committed = metadata

    def _count(self, fate: HookFate, alerts: int = 1) -> None:
        self._metrics.hook_alerts.labels(self._route.name, fate.value).inc(alerts)

    @abstractmethod
    async def _go_on(self, position: HookPosition) -> None:
        """Try what is due, take what is new, or wait for a while."""

    @abstractmethod
    async def _begin(self, position: HookPosition) -> int:
        """Return the offset from which to read; `next_offset` is -1 where the route is new."""

    @abstractmethod
    def _forget(self) -> None:
        """Forget what was read: it is read again."""

    @abstractmethod
    def _show(self, position: HookPosition | None) -> None:
        """Show how much waits; None: another worker shows it."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Close the connections to the receiver."""
