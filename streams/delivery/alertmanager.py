"""A route to Alertmanager: what fires is sent again and again, and ends with a last word.

Grouping, silences and quiet hours are Alertmanager's. Which alerts fire is a function of the topic:
after a restart they are read again, and only how far they were told is kept.

References:
    [1] Alertmanager API v2, `POST /api/v2/alerts`: labels identify an alert; one whose `endsAt` has
        passed is resolved.
    [2] Prometheus, rules/manager.go and cmd/prometheus: an alert is sent again every minute
        (`--rules.alert.resend-delay`), its `endsAt` four such times ahead, and a resolved one for
        15 minutes (`resolvedRetention`).
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

import aiohttp
from pydantic import SecretStr

from models.alerts import AlertType, rfc3339
from models.parameters import DAY_MS, MINUTE_MS
from streams.delivery.alert_log import (
    POLL_S_MAX,
    AlertLog,
    Clock,
    LoggedAlert,
    event_time_ms,
    parse_alert,
)
from streams.delivery.alert_words import headline, text_of
from streams.delivery.attempts import Attempt, Outcome
from streams.delivery.hook_metrics import HookFate
from streams.delivery.hook_position import DailyBudget, HookPosition
from streams.delivery.route_run import RouteRun, Surroundings
from streams.delivery.routes import Receiver, Route, matches
from streams.delivery.webhook import http_session, post

log = logging.getLogger(__name__)

PATH: Final = "/api/v2/alerts"
RESEND_MS: Final = MINUTE_MS
ENDS_AHEAD_MS: Final = 4 * RESEND_MS
RESOLVED_MS: Final = 15 * MINUTE_MS
"""All three from Prometheus [2]."""
RETRY_FIRST_MS: Final = 5_000
"""After a failure; it doubles up to RESEND_MS. The first wait of Standard Webhooks."""
BATCH: Final = 256
"""Alerts of one request: Prometheus's own `maxBatchSize`."""
MOST_FIRING: Final = 1_024
"""A named limit: beyond it those that were told longest ago are resolved early."""
LASTING: Final = "hotspot.guidance.*"
"""What no event ends: it fires until `fires_for` has passed."""
INTERRUPTED: Final = "interrupted"


@dataclass(slots=True)
class Firing:
    """An alert that fires or has fired.

    Attributes:
        labels: What it is, for Alertmanager.
        annotations: What is said of it, by the newest alert.
        began_ms: Event time of the first alert.
        told_ms: The broker's time of the newest.
        resolved_ms: When it ended by the wall clock of whoever says so, None while it fires.
    """

    labels: dict[str, str]
    annotations: dict[str, str]
    began_ms: int
    told_ms: int
    resolved_ms: int | None = None


class FiringAlerts:
    """Which alerts of a route fire: a fold over the topic, from the beginning of a day on."""

    def __init__(self, route: Route, age_max_ms: int) -> None:
        """Begin with nothing; what is older than `age_max_ms` when it is written wakes nobody."""
        self._route = route
        self._age_max_ms = age_max_ms
        self._budget = DailyBudget()
        self.by_key: dict[tuple[str, str], Firing] = {}
        self.has_changed = False
        """Whether there is something that Alertmanager was not told; whoever tells it clears it."""

    def take(self, alert: dict[str, Any], appended_ms: int) -> HookFate | None:
        """Take the next alert; return what becomes of it, None when the route does not want it."""
        if appended_ms - event_time_ms(alert) > self._age_max_ms:
            return HookFate.PAST if matches(self._route, alert) else None
        if alert["type"] == AlertType.FADED or alert["data"].get("state") == INTERRUPTED:
            self._end(_subject(alert), appended_ms)
            return None
        if not matches(self._route, alert):
            return None
        if not self._budget.spend(appended_ms, self._route.budget_per_day):
            return HookFate.OVER_BUDGET
        self.fire(alert, appended_ms)
        return HookFate.DELIVERED

    def fire(self, alert: dict[str, Any], appended_ms: int) -> None:
        """Let an alert fire, whether the route wants it or not."""
        key = (str(alert["type"]), _subject(alert))
        known = self.by_key.get(key)
        fires = known is not None and known.resolved_ms is None
        began_ms = known.began_ms if known is not None and fires else event_time_ms(alert)
        labels = known.labels if known is not None else _labels(alert, self._route)
        annotations = {
            "summary": headline(alert),
            "description": text_of(alert),
            "alert_id": str(alert["id"]),
        }
        self.by_key[key] = Firing(labels, annotations, began_ms, appended_ms)
        self._hold_limit(appended_ms)
        self.has_changed = True

    def _end(self, subject: str, appended_ms: int) -> None:
        """Resolve what fires of a subject that has faded or is interrupted."""
        for (kind, about), firing in self.by_key.items():
            fires = about == subject and firing.resolved_ms is None
            if fires and not fnmatchcase(kind, LASTING):
                firing.resolved_ms = appended_ms
                self.has_changed = True

    def _hold_limit(self, now_ms: int) -> None:
        firing = [one for one in self.by_key.values() if one.resolved_ms is None]
        surplus = max(0, len(firing) - MOST_FIRING)
        for one in sorted(firing, key=lambda one: one.told_ms)[:surplus]:
            one.resolved_ms = now_ms

    def expire(self, now_ms: int) -> None:
        """Resolve what nothing has been told of for `fires_for`, forget what was long resolved."""
        for key, one in list(self.by_key.items()):
            if one.resolved_ms is None and now_ms - one.told_ms > self._route.fires_for_ms:
                one.resolved_ms = now_ms
                self.has_changed = True
            if one.resolved_ms is not None and now_ms - one.resolved_ms > RESOLVED_MS:
                del self.by_key[key]

    def to_send(self, now_ms: int) -> list[dict[str, Any]]:
        """Return what Alertmanager is told, as its API wants it [1]."""
        return [
            {
                "labels": one.labels,
                "annotations": one.annotations,
                "startsAt": rfc3339(one.began_ms),
                "endsAt": rfc3339(
                    now_ms + ENDS_AHEAD_MS if one.resolved_ms is None else one.resolved_ms
                ),
            }
            for one in self.by_key.values()
        ]


def _subject(alert: dict[str, Any]) -> str:
    """Return what an alert is about: a work that is a video fades under the video's name."""
    return str(alert["subject"]).removeprefix("video:")


def _labels(alert: dict[str, Any], route: Route) -> dict[str, str]:
    data = alert["data"]
    labels = {
        **route.labels,
        "alertname": str(alert["type"]),
        "subject": _subject(alert),
        "platform": str(data.get("platform", "")),
        "vertical": str(data.get("vertical", "")),
    }
    # Alertmanager knows no empty label: it is the same as none.
    return {name: text for name, text in labels.items() if text}


class AlertmanagerHook(RouteRun):
    """One route to an Alertmanager."""

    def __init__(self, receiver: Receiver, alerts: AlertLog, around: Surroundings) -> None:
        super().__init__(receiver, alerts, around)
        self._session = http_session(receiver.guard)
        self._firing = self._nothing()
        self._has_read_all = False
        self._not_before_ms = 0
        self._again_ms = 0
        self._retry_ms = RETRY_FIRST_MS
        self._untold = 0

    def _nothing(self) -> FiringAlerts:
        return FiringAlerts(self._route, self._around.age_max_ms)

    async def _disconnect(self) -> None:
        await self._session.close()

    def _forget(self) -> None:
        self._firing = self._nothing()
        self._untold = 0
        self._has_read_all = False

    async def _begin(self, position: HookPosition) -> int:
        del position  # what fires is a function of the topic alone
        since_ms = self._around.clock_ms() - self._route.fires_for_ms
        # Whole days, for the budget; what was counted before is read and not counted again.
        return await self._log.offset_since(since_ms - since_ms % DAY_MS)

    async def _go_on(self, position: HookPosition) -> None:
        wait_s = (self._send_at_ms() - self._around.clock_ms()) / 1000
        records = await self._log.read(wait_s if self._has_read_all else POLL_S_MAX)
        for record in records:
            self._take(position, record)
        if records:
            return
        # What was read in part may fire what was resolved long ago.
        self._has_read_all = True
        now_ms = self._around.clock_ms()
        self._firing.expire(now_ms)
        self._show(position)
        if now_ms >= self._send_at_ms():
            await self._send(position)
        elif not self._firing.has_changed:
            await self._commit(position)

    def _send_at_ms(self) -> int:
        """Return when Alertmanager is told next."""
        if self._firing.has_changed:
            return self._not_before_ms
        if self._firing.by_key:
            return max(self._again_ms, self._not_before_ms)
        return self._around.clock_ms() + RESEND_MS

    def _take(self, position: HookPosition, record: LoggedAlert) -> None:
        is_new = record.offset >= position.next_offset
        position.next_offset = max(position.next_offset, record.offset + 1)
        alert = parse_alert(record.value)
        if alert is None:
            log.error("route %s: what stands at %d is no alert", self._route.name, record.offset)
            return
        fate = self._firing.take(alert, record.appended_ms)
        if is_new and fate is HookFate.DELIVERED:
            self._untold += 1
        elif is_new and fate is not None:
            self._count(fate)

    async def _send(self, position: HookPosition) -> None:
        """Tell all that fires and was resolved lately; then what was read counts as delivered."""
        now_ms = self._around.clock_ms()
        alerts = self._firing.to_send(now_ms)
        for start in range(0, len(alerts), BATCH):
            if not await self._post(alerts[start : start + BATCH]):
                self._not_before_ms = self._around.clock_ms() + self._retry_ms
                self._retry_ms = min(2 * self._retry_ms, RESEND_MS)
                return
        self._retry_ms = RETRY_FIRST_MS
        self._again_ms = now_ms + RESEND_MS
        self._firing.has_changed = False
        self._count(HookFate.DELIVERED, self._untold)
        self._untold = 0
        await self._commit(position)

    async def _post(self, alerts: Sequence[dict[str, Any]]) -> bool:
        attempt = await _post(self._session, self._receiver, alerts, self._around.clock_ms)
        self._metrics.hook_attempts.labels(self._route.name, attempt.outcome.value).inc()
        if attempt.outcome is Outcome.DELIVERED:
            return True
        log.warning("route %s: %s", self._route.name, attempt.why)
        return False

    def _show(self, position: HookPosition | None) -> None:
        firing = len(self._firing.by_key) if position is not None else 0
        self._metrics.hook_waiting.labels(self._route.name).set(firing)


async def tell_once(receiver: Receiver, alert: dict[str, Any], clock_ms: Clock) -> Attempt:
    """Tell an Alertmanager of one alert, which ends by itself after ENDS_AHEAD_MS."""
    firing = FiringAlerts(receiver.route, age_max_ms=DAY_MS)
    firing.fire(alert, clock_ms())
    session = http_session(receiver.guard)
    try:
        return await _post(session, receiver, firing.to_send(clock_ms()), clock_ms)
    finally:
        await session.close()


async def _post(
    session: aiohttp.ClientSession,
    receiver: Receiver,
    alerts: Sequence[dict[str, Any]],
    clock_ms: Clock,
) -> Attempt:
    url = SecretStr(receiver.url.get_secret_value().rstrip("/") + PATH)
    body = json.dumps(alerts, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "hotspots"}
    return await post(session, url, body, headers, clock_ms)
