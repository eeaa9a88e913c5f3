import itertools
import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.parameters import MINUTE_MS, Parameters
from models.ranking import board_of
from models.roll_up import RollUp
from models.work_depth import WorkDepth
from models.work_integrity import WorkIntegrity
from models.work_participation import WorkParticipation

BUCKET = 5_644_512
WORKS = st.lists(
    st.fixed_dictionaries(
        {
            "confirmed": st.booleans(),
            "emerging": st.booleans(),
            "stages": st.sampled_from([0, 0b10, 0b1110]),
            "heat": st.sampled_from([0.0, 1.5, 20.0, 300.0]),
            "last_bucket": st.integers(BUCKET - 200, BUCKET),
        }
    ),
    max_size=12,
)


def works_of(said: list[dict[str, Any]]) -> RollUp:
    roll_up = RollUp(Parameters())
    table = roll_up.works
    for number, fields in sorted(enumerate(said), key=lambda pair: pair[1].get("order", 0)):
        work = table.add(f"topic:t{number:02d}", "")
        work.row["topical"] = True
        for name, value in fields.items():
            if name != "order":
                table.rows[name][work.slot] = value
    return roll_up


def board(
    said: list[dict[str, Any]], parameters: Parameters, suspects: dict[str, float] | None = None
) -> dict[str, Any]:
    """Return the board of some works, of which suspects are discounted."""
    roll_up = works_of(said)
    participation = WorkParticipation(roll_up)
    depth, integrity = (
        WorkDepth(parameters, roll_up, participation),
        WorkIntegrity(roll_up, participation),
    )
    stored = {
        work_id: {"episode": 1, "young": 20, "holds": True, "discount": discount}
        for work_id, discount in (suspects or {}).items()
    }
    integrity.load(b"", json.dumps(stored).encode())
    integrity.recovered()
    return board_of(roll_up, {}, depth, integrity, BUCKET, parameters)


@given(said=WORKS, data=st.data())
def test_the_order_is_a_function_of_the_works(
    said: list[dict[str, Any]], data: st.DataObject
) -> None:
    parameters = Parameters(board_size=5, bucket_ms=5 * MINUTE_MS)
    told = board(said, parameters)
    order = data.draw(st.permutations(range(len(said))))
    other = [{**fields, "order": at} for fields, at in zip(said, order, strict=True)]
    assert told == board(other, parameters)
    json.dumps(told)
    shown = told["hotspots"]
    assert [h["rank"] for h in shown] == list(range(1, len(shown) + 1))
    keys = [(-h["confirmed"], -h["emerging"]) for h in shown]
    assert keys == sorted(keys)
    for above, below in itertools.pairwise(shown):
        if (above["confirmed"], above["emerging"]) == (below["confirmed"], below["emerging"]):
            assert above["heat"] >= below["heat"]
        else:
            assert (above["confirmed"], above["emerging"]) > (below["confirmed"], below["emerging"])
    # Whoever is not shown comes after all that are, ids deciding among equals.
    everything = board(said, replace(parameters, board_size=100))
    assert everything["hotspots"][:5] == shown
    ids = itertools.groupby(
        everything["hotspots"], lambda h: (h["confirmed"], h["emerging"], h["heat"])
    )
    for _, equals in ids:
        names = [h["hotspot_id"] for h in equals]
        assert names == sorted(names)
    worth = [w for w in said if w["confirmed"] or w["emerging"] or w["stages"]]
    assert len(shown) == min(len(worth), 5)
    assert told["time_ms"] == (BUCKET + 1) * 5 * MINUTE_MS


def test_what_is_shown_has_a_name_and_a_reason() -> None:
    (shown,) = board([{"emerging": True}], Parameters())["hotspots"]
    assert shown["title"] == "topic:t00"
    assert shown["screening"] == []
    assert shown["reason"] == "forecast_above_alert_level"


def test_a_suspected_work_has_the_place_that_the_rest_of_it_has() -> None:
    hot = {"emerging": True, "heat": 100.0, "last_bucket": BUCKET, "probability": 0.9}
    said = [
        hot | {"confirmed": True, "progress": 20_000},
        hot | {"heat": 30.0},
        hot | {"confirmed": True, "progress": 12_000},
    ]
    parameters = Parameters(bucket_ms=5 * MINUTE_MS)
    order = [one["hotspot_id"] for one in board(said, parameters)["hotspots"]]
    assert order == ["topic:t00", "topic:t02", "topic:t01"]
    # What is left of the two that are confirmed is not below the level (10,000).
    half = board(said, parameters, {"topic:t00": 0.5, "topic:t02": 0.1})["hotspots"]
    assert [one["hotspot_id"] for one in half] == ["topic:t02", "topic:t00", "topic:t01"]
    assert [one["heat"] for one in half] == [90.0, 50.0, 30.0]
    most = board(said, parameters, {"topic:t00": 0.9, "topic:t02": 0.1})["hotspots"]
    assert [one["hotspot_id"] for one in most] == ["topic:t02", "topic:t01", "topic:t00"]
    assert most[2]["integrity"] == {"suspected": True, "discounted_share": 0.9}
