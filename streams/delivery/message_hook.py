"""A route that hands on each alert once it comes: a webhook or a chat; at least once."""

import json
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from streams.delivery.alert_log import AlertLog, Clock, DeadLetters, LoggedAlert, LostError
from streams.delivery.attempts import RETRIES_MS, Attempt, Outcome, wait_ms
from streams.delivery.hook_metrics import HookFate, HookMetrics
from streams.delivery.hook_position import HookPosition, Waiting, digest_of
from streams.delivery.routes import Receiver, matches
from streams.delivery.webhook import Sender

if TYPE_CHECKING:
    from streams.metrics import Metrics

log = logging.getLogger(__name__)


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


class MessageHook:
    """One route."""

    def __init__(
        self, receiver: Receiver, sender: Sender, alerts: AlertLog, around: Surroundings
    ) -> None:
        self._receiver = receiver
        self._route = receiver.route
        self._sender = sender
        self._log = alerts
        self._around = around
        self._metrics: HookMetrics = around.metrics
        self._position: HookPosition | None = None
        self._committed = ""
        self._read: deque[LoggedAlert] = deque()
        self._quiet_until_ms = 0

    async def start(self) -> None:
        """Join the group of the route."""
        await self._log.start()

    async def stop(self) -> None:
        """Close the connections; what was under way is delivered again."""
        await self._log.stop()
        await self._sender.close()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            try:
                await self._turn()
            except LostError:
                self._position = None

    async def _turn(self) -> None:
        """Do the next thing: load the position, try what is due, take what is new, or wait."""
        position = self._position
        if position is None or not self._log.is_ours:
            self._position = await self._load()
            return
        now_ms = self._around.clock_ms()
        due = position.due(now_ms)
        if due is not None:
            await self._try(position, due)
            await self._commit(position)
        elif self._read and self._may_take(position, self._read[0], now_ms):
            await self._take(position, self._read.popleft())
        else:
            await self._commit(position)
            wait_s = (self._until_ms(position) - now_ms) / 1000
            if self._read:
                await self._log.rest(wait_s)
            else:
                self._read.extend(await self._log.read(wait_s))

    def _may_take(self, position: HookPosition, record: LoggedAlert, now_ms: int) -> bool:
        """Tell whether an alert that was read may be looked at: one that waits always may."""
        if record.offset < position.next_offset:
            return True
        return not position.is_full and now_ms >= self._quiet_until_ms

    def _until_ms(self, position: HookPosition) -> int:
        """Return when there is something to do again, unless something new comes."""
        times = [self._around.clock_ms() + 60_000]
        if (due_ms := position.next_due_ms()) is not None:
            times.append(due_ms)
        if self._quiet_until_ms > self._around.clock_ms():
            times.append(self._quiet_until_ms)
        return min(times)

    async def _load(self) -> HookPosition | None:
        self._read.clear()
        position = await self._log.load()
        name = self._route.name
        if position is None:
            self._metrics.hook_waiting.labels(name).set(0)
            self._metrics.hook_ended.labels(name).set(0)
            return None
        if position.next_offset < 0:
            # A new route: what could wake somebody was not appended before this.
            since_ms = self._around.clock_ms() - self._around.age_max_ms
            position.next_offset = await self._log.offset_since(since_ms)
            # Kept at once: a worker that is down for hours before the first alert misses none.
            await self._log.commit(position)
        if position.ended and position.ended != digest_of(self._receiver.url):
            log.info("route %s has another address and is no longer ended", name)
            position.ended = ""
        self._log.seek(position.first_offset)
        self._committed = position.metadata()
        self._show(position)
        return position

    async def _take(self, position: HookPosition, record: LoggedAlert) -> None:
        """Look at one alert, which is new or was waiting when the worker ended."""
        if record.offset < position.next_offset:
            await self._take_again(position, record)
            return
        await self._forget_deleted(position)
        position.next_offset = record.offset + 1
        alert = parse_alert(record.value)
        if alert is None:
            await self._give_up(record.value, "it is no alert", 0)
        elif not matches(self._route, alert):
            return
        elif record.appended_ms - event_time_ms(alert) > self._around.age_max_ms:
            self._count(HookFate.PAST)
        elif position.ended:
            await self._give_up(record.value, "the receiver has answered 410 (gone)", 0)
        elif not position.budget.spend(record.appended_ms, self._route.budget_per_day):
            self._count(HookFate.OVER_BUDGET)
        else:
            position.waiting[record.offset] = Waiting(0, self._around.clock_ms(), alert)

    async def _take_again(self, position: HookPosition, record: LoggedAlert) -> None:
        """Take what was looked at before the worker ended, if it waits."""
        one = position.waiting.get(record.offset)
        if one is None:
            return
        if position.ended:
            why = "the receiver has answered 410 (gone)"
            await self._give_up(record.value, why, one.failures)
            del position.waiting[record.offset]
        else:
            one.alert = parse_alert(record.value)

    async def _forget_deleted(self, position: HookPosition) -> None:
        """Pass over what waited and is no longer in the topic (kept by size)."""
        gone = [offset for offset, one in position.waiting.items() if one.alert is None]
        for offset in gone:
            log.error("route %s: the alert at %d was deleted undelivered", self._route.name, offset)
            del position.waiting[offset]
            self._count(HookFate.UNDELIVERED)

    async def _try(self, position: HookPosition, offset: int) -> None:
        one = position.waiting[offset]
        if one.alert is None:
            raise RuntimeError("an alert is due that was not read yet")
        attempt = await self._sender.send(one.alert)
        self._metrics.hook_attempts.labels(self._route.name, attempt.outcome.value).inc()
        if attempt.outcome is Outcome.DELIVERED:
            del position.waiting[offset]
            self._count(HookFate.DELIVERED)
        elif attempt.outcome is Outcome.GONE:
            await self._end(position, attempt)
        else:
            await self._fail(position, offset, one, attempt)

    async def _fail(
        self, position: HookPosition, offset: int, one: Waiting, attempt: Attempt
    ) -> None:
        one.failures += 1
        around = self._around
        wait = wait_ms(one.failures, attempt, around.chance(), around.schedule)
        shown = "none" if wait is None else f"in {wait / 1000:.0f} s"
        log.warning("route %s: %s; next attempt %s", self._route.name, attempt.why, shown)
        if wait is None:
            await self._give_up(_as_bytes(one.alert), attempt.why, one.failures)
            del position.waiting[offset]
            return
        one.due_ms = around.clock_ms() + wait
        if attempt.throttled:
            self._quiet_until_ms = one.due_ms
            position.postpone(one.due_ms)

    async def _end(self, position: HookPosition, attempt: Attempt) -> None:
        """Give up a receiver that wants nothing any more, with all that waits for it."""
        log.error("route %s is ended: %s", self._route.name, attempt.why)
        position.ended = digest_of(self._receiver.url)
        for offset in sorted(position.waiting):
            one = position.waiting[offset]
            if one.alert is not None:
                await self._give_up(_as_bytes(one.alert), attempt.why, one.failures + 1)
                del position.waiting[offset]

    async def _give_up(self, alert: bytes, why: str, attempts: int) -> None:
        await self._around.dead_letters.write(self._route.name, alert, why, attempts)
        self._count(HookFate.UNDELIVERED)

    async def _commit(self, position: HookPosition) -> None:
        self._show(position)
        if (metadata := position.metadata()) != self._committed:
            await self._log.commit(position)
            self._committed = metadata

    def _show(self, position: HookPosition) -> None:
        name = self._route.name
        self._metrics.hook_waiting.labels(name).set(len(position.waiting))
        self._metrics.hook_ended.labels(name).set(bool(position.ended))

    def _count(self, fate: HookFate) -> None:
        self._metrics.hook_alerts.labels(self._route.name, fate.value).inc()


def parse_alert(value: bytes) -> dict[str, Any] | None:
    """Return the CloudEvent that bytes hold, None when they hold none of ours.

    >>> parse_alert(b"[1]") is None
    True
    """
    try:
        alert = json.loads(value)
        if isinstance(alert["data"], dict) and all(alert[k] for k in ("id", "type", "subject")):
            event_time_ms(alert)
            return dict(alert)
    except (ValueError, KeyError, TypeError):
        return None
    return None


def event_time_ms(alert: dict[str, Any]) -> int:
    """Return the event time of an alert.

    >>> event_time_ms({"time": "1970-01-01T00:00:01.500Z"})
    1500
    """
    return round(datetime.fromisoformat(alert["time"]).timestamp() * 1000)


def _as_bytes(alert: dict[str, Any] | None) -> bytes:
    return json.dumps(alert, ensure_ascii=False, separators=(",", ":")).encode()
