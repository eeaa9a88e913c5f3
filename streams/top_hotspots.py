"""The names on `/metrics`: of the hotspots at the top of the board, and of no others.

A name is a label, and each new label is a new series for Prometheus: so no more than MOST_NAMED are
shown at a time, and a hotspot that falls behind these, or changes what is said of it, takes its
series with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge

MOST_NAMED: Final = 20
"""How many hotspots are named at a time: what a table on a screen shows at once."""
TITLE_CHARACTERS_MAX: Final = 60
"""Of a title; a column of a table shows no more."""
_NUMBERS: Final = ("rank", "heat", "probability", "depth", "videos", "views")
"""Fields of a hotspot on the board (models/ranking.py) that are figures."""


class TopHotspots:
    """What is said of the hotspots at the top, as gauges in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Show none yet."""
        self.info = Gauge(
            "hotspots_top_info",
            "1 for each of the 20 hotspots at the top of the board, with what it is called and how "
            "far it has come.",
            ["hotspot", "title", "kind", "stage", "route", "state", "platforms"],
            registry=registry,
        )
        self.rank = Gauge(
            "hotspots_top_rank", "Its place on the board.", ["hotspot"], registry=registry
        )
        self.heat = Gauge(
            "hotspots_top_heat", "Its activity per hour.", ["hotspot"], registry=registry
        )
        self.probability = Gauge(
            "hotspots_top_probability",
            "The probability that it reaches HOTSPOTS_LEVEL within HOTSPOTS_HORIZON.",
            ["hotspot"],
            registry=registry,
        )
        self.depth = Gauge(
            "hotspots_top_depth",
            "Its depth index (docs/integrity.md); absent: not known.",
            ["hotspot"],
            registry=registry,
        )
        self.videos = Gauge("hotspots_top_videos", "Its videos.", ["hotspot"], registry=registry)
        self.views = Gauge(
            "hotspots_top_views", "Views of its videos.", ["hotspot"], registry=registry
        )
        self._shown: dict[str, tuple[str, ...]] = {}
        self._figures: dict[str, set[str]] = {name: set() for name in _NUMBERS}

    def show(self, hotspots: Sequence[Mapping[str, Any]]) -> None:
        """Show the first of the board's hotspots; others are taken away."""
        top = hotspots[:MOST_NAMED]
        labels = {hotspot["hotspot_id"]: _labels(hotspot) for hotspot in top}
        for known, shown in self._shown.items():
            if labels.get(known) != shown:
                self.info.remove(known, *shown)
        for hotspot_id, shown in labels.items():
            self.info.labels(hotspot_id, *shown).set(1)
        self._shown = labels
        for name in _NUMBERS:
            gauge: Gauge = getattr(self, name)
            known_here = {one["hotspot_id"]: one[name] for one in top if one[name] is not None}
            for gone in self._figures[name] - known_here.keys():
                gauge.remove(gone)
            for hotspot_id, value in known_here.items():
                gauge.labels(hotspot_id).set(value)
            self._figures[name] = set(known_here)


def _labels(hotspot: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is said of a hotspot, in the order of the labels of `info`."""
    return (
        hotspot["title"][:TITLE_CHARACTERS_MAX],
        hotspot["kind"],
        hotspot["stage"],
        hotspot["route"] or "",
        hotspot["state"],
        ", ".join(hotspot["platforms"]),
    )
