"""Notices what does not move although there is work, and answers for it on `/healthz`.

The event loop looks at everything now and then; a request is answered in the thread of the metrics
server, which also sees when the loop itself has stopped turning. Durations only: nothing here has
a part in a decision.
"""

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final

from streams.metrics import Metrics

log = logging.getLogger(__name__)

LOOKS_PER_STALL: Final = 10
"""How often things are looked at within the time after which they count as stalled: what stands is
noticed at most a tenth later."""
LOOK_INTERVAL_S_MAX: Final = 1.0
"""Figures and `/readyz` are at most this old."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far something has come, and whether it should move at all."""

    progress: Hashable
    """Differs when it has moved."""
    has_work: bool
    at: str = ""
    """Where it is, for people."""


@dataclass(slots=True)
class _Watched:
    progress: Hashable
    since_s: float


@dataclass(frozen=True, slots=True)
class Watch:
    """Something with parts that move by themselves, such as an agent and its partitions."""

    name: str
    read: Callable[[], Mapping[str, Reading]]
    restart_helps: bool = True
    """Whether a worker in which it stands should be started anew; otherwise it is only told."""


class Liveness:
    """What moves, what stands, and since when."""

    def __init__(
        self,
        watches: list[Watch],
        *,
        is_ready: Callable[[], bool],
        stall_s: float,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        """Watch nothing before the first `look`; `clock` returns seconds."""
        self._watches = watches
        self._is_ready = is_ready
        self._stall_s = stall_s
        self._metrics = metrics
        self._clock = clock
        self.interval_s = min(LOOK_INTERVAL_S_MAX, stall_s / LOOKS_PER_STALL)
        """How often `look` is to be called."""
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._stalled: set[str] = set()
        # Read by the server's thread; each is replaced as a whole.
        self._looked_s = clock()
        self._standing = ""
        self._ready = False

    def look(self) -> None:
        """See what has moved since the last look; called in the event loop, as its heartbeat."""
        now = self._clock()
        self._forgive(now - self._looked_s - self.interval_s)
        standing = []
        for watch in self._watches:
            idle_s, what = self._look_at(watch, now)
            self._metrics.observe_progress(watch.name, idle_s, stalled=bool(what))
            self._tell(watch.name, what)
            if what and watch.restart_helps:
                standing.append(f"{watch.name}: {what}")
        self._ready = self._is_ready()
        self._standing = "; ".join(standing)
        self._looked_s = now

    def _forgive(self, pause_s: float) -> None:
        """Hold nobody to account for the time in which the loop or the process stood still."""
        if pause_s > self.interval_s:
            for watched in self._watched.values():
                watched.since_s += pause_s

    def _look_at(self, watch: Watch, now: float) -> tuple[float, str]:
        """Return for how long the slowest part stands, and what is to be said of it, if anything.

        A part without work moves by definition.
        """
        readings = watch.read()
        for key in [key for key in self._watched if key[0] == watch.name]:
            if key[1] not in readings:
                del self._watched[key]
        longest_s, what = 0.0, ""
        for part, reading in readings.items():
            watched = self._watched.setdefault(
                (watch.name, part), _Watched(reading.progress, since_s=now)
            )
            if not reading.has_work or reading.progress != watched.progress:
                watched.progress, watched.since_s = reading.progress, now
            idle_s = now - watched.since_s
            if idle_s > longest_s:
                longest_s = idle_s
                what = f"{part} stands {reading.at}".strip() + f" for {idle_s:.0f} s"
        return longest_s, what if longest_s >= self._stall_s else ""

    def _tell(self, name: str, what: str) -> None:
        if what and name not in self._stalled:
            self._stalled.add(name)
            log.error("%s does not move: %s", name, what)
        elif not what and name in self._stalled:
            self._stalled.discard(name)
            log.warning("%s moves again", name)

    def health(self) -> tuple[bool, str]:
        """Return whether the worker is alive, and one line; from any thread."""
        silent_s = self._clock() - self._looked_s
        if silent_s > max(self._stall_s, 2 * self.interval_s):
            return False, f"the event loop stands for {silent_s:.0f} s"
        return (False, self._standing) if self._standing else (True, "alive")

    def readiness(self) -> tuple[bool, str]:
        """Return whether every partition is recovered and processed; from any thread."""
        return (True, "ready") if self._ready else (False, "not recovered yet")
