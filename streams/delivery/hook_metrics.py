"""What is counted of hooks; the label `route` is one of at most 32 names in the file of hooks."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.delivery.attempts import Outcome


class HookFate(StrEnum):
    """What becomes of an alert that a route wants, as a label."""

    DELIVERED = "delivered"
    PAST = "past"
    OVER_BUDGET = "over_budget"
    UNDELIVERED = "undelivered"


FATES: Final = tuple(HookFate)


class HookMetrics:
    """The metrics of hooks; streams/metrics.py adds them to those of a worker."""

    registry: CollectorRegistry

    def _add_hooks(self) -> None:
        self.hook_attempts = Counter(
            "hotspots_hook_attempts",
            "Attempts to deliver to a receiver (docs/hooks.md), by what came of them.",
            ["route", "outcome"],
            registry=self.registry,
        )
        self.hook_alerts = Counter(
            "hotspots_hook_alerts",
            "Alerts that a route wants, by what became of them: delivered; of the past or over its "
            "budget, which wake nobody; or undelivered, which are on alerts-undelivered.",
            ["route", "fate"],
            registry=self.registry,
        )
        self.hook_waiting = Gauge(
            "hotspots_hook_waiting",
            "Alerts of a route that wait for another attempt; for Alertmanager, those that fire.",
            ["route"],
            registry=self.registry,
        )
        self.hook_ended = Gauge(
            "hotspots_hook_ended",
            "1 when the receiver of a route has answered 410 and gets nothing any more, else 0.",
            ["route"],
            registry=self.registry,
        )

    def show_routes(self, routes: Iterable[str]) -> None:
        """Show every figure of these routes at 0 from the start."""
        for route in routes:
            for outcome in Outcome:
                self.hook_attempts.labels(route, outcome.value)
            for fate in FATES:
                self.hook_alerts.labels(route, fate.value)
            self.hook_waiting.labels(route)
            self.hook_ended.labels(route)
