"""Names on /metrics come and go with the top of the board."""

import json
from typing import Any

from prometheus_client import CollectorRegistry

from models.ranking import BOARD
from models.steps import Output
from streams.metrics import Agent, Metrics
from streams.top_hotspots import MOST_NAMED, TITLE_CHARACTERS_MAX


def hotspot(name: str, rank: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "hotspot_id": f"topic:{name}",
        "kind": "topic",
        "title": name,
        "rank": rank,
        "heat": 1_000.0 / rank,
        "stage": "judgment",
        "route": "identification",
        "state": "active",
        "probability": 0.5,
        "videos": 3,
        "views": 900,
        "platforms": ["bilibili", "douyin"],
        "depth": None,
        **more,
    }


def told(metrics: Metrics, hotspots: list[dict[str, Any]]) -> dict[tuple[str, ...], float]:
    """Return all series of the top after a board was written: name, labels, value."""
    board = json.dumps({"time_ms": 0, "hotspots": hotspots}).encode()
    metrics.observe_outputs([Output(BOARD, 0, b"board", board)])
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name.startswith("hotspots_top_")
    }


def test_only_the_top_is_named() -> None:
    metrics = Metrics(CollectorRegistry())
    series = told(metrics, [hotspot(f"n{rank}", rank) for rank in range(1, MOST_NAMED + 31)])
    named = {labels[1] for labels in series}
    assert named == {f"topic:n{rank}" for rank in range(1, MOST_NAMED + 1)}
    assert series["hotspots_top_rank", "topic:n20"] == 20


def test_a_name_goes_with_its_hotspot_and_a_stage_with_the_next() -> None:
    metrics = Metrics(CollectorRegistry())
    told(metrics, [hotspot("a", 1, depth=0.4), hotspot("b", 2)])
    series = told(metrics, [hotspot("b", 1, stage="diffusion", title="b" * 300)])
    title = "b" * TITLE_CHARACTERS_MAX
    route, platforms = "identification", "bilibili, douyin"
    assert series == {
        (
            "hotspots_top_info",
            "topic:b",
            title,
            "topic",
            "diffusion",
            route,
            "active",
            platforms,
        ): 1,
        ("hotspots_top_rank", "topic:b"): 1,
        ("hotspots_top_heat", "topic:b"): 1_000,
        ("hotspots_top_probability", "topic:b"): 0.5,
        ("hotspots_top_videos", "topic:b"): 3,
        ("hotspots_top_views", "topic:b"): 900,
    }


def test_names_vanish_when_another_worker_owns_the_board() -> None:
    metrics = Metrics(CollectorRegistry())
    told(metrics, [hotspot("a", 1)])
    metrics.rows.labels(Agent.HOTSPOTS.value, 0)
    metrics.revoke(Agent.HOTSPOTS, 0)
    assert told(metrics, []) == {}
