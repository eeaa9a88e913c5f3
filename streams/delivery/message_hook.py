"""A route that hands on each alert once it comes: a webhook or a chat; at least once."""

import json
import logging
from collections import deque
from typing import Any

from streams.delivery.alert_log import AlertLog, LoggedAlert, event_time_ms, parse_alert
from streams.delivery.attempts import Attempt, Outcome, wait_ms
from streams.delivery.hook_metrics import HookFate
from streams.delivery.hook_position import HookPosition, Waiting, digest_of
from streams.delivery.route_run import RouteRun, Surroundings
from streams.delivery.routes import Receiver, matches
from streams.delivery.webhook import Sender

log = logging.getLogger(__name__)


class MessageHook(RouteRun):
    """One route."""

    def __init__(
        self, receiver: Receiver, sender: Sender, alerts: AlertLog, around: Surroundings
    ) -> None:
        super().__init__(receiver, alerts, around)
        self._sender = sender
        self._read: deque[LoggedAlert] = deque()
        self._quiet_until_ms = 0

    async def _disconnect(self) -> None:
        await self._sender.close()

    def _forget(self) -> None:
        self._read.clear()

    async def _begin(self, position: HookPosition) -> int:
        if position.next_offset < 0:
            # A new route: what could wake somebody was not appended before this.
            since_ms = self._around.clock_ms() - self._around.age_max_ms
            return await self._log.offset_since(since_ms)
        if position.ended and position.ended != digest_of(self._receiver.url):
            log.info("route %s has another address and is no longer ended", self._route.name)
            position.ended = ""
        return position.first_offset

    async def _go_on(self, position: HookPosition) -> None:
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

    def _show(self, position: HookPosition | None) -> None:
        name = self._route.name
        waiting = len(position.waiting) if position is not None else 0
        self._metrics.hook_waiting.labels(name).set(waiting)
        self._metrics.hook_ended.labels(name).set(position is not None and bool(position.ended))


def _as_bytes(alert: dict[str, Any] | None) -> bytes:
    return json.dumps(alert, ensure_ascii=False, separators=(",", ":")).encode()
