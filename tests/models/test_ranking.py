import itertools
import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.parameters import MINUTE_MS, Parameters
from models.ranking import board_of
from models.roll_up import RollUp

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


@given(said=WORKS, data=st.data())
def test_the_order_is_a_function_of_the_works(
    said: list[dict[str, Any]], data: st.DataObject
) -> None:
    parameters = Parameters(board_size=5, bucket_ms=5 * MINUTE_MS)
    board = board_of(works_of(said), {}, BUCKET, parameters)
    order = data.draw(st.permutations(range(len(said))))
    other = works_of([{**fields, "order": at} for fields, at in zip(said, order, strict=True)])
    assert board == board_of(other, {}, BUCKET, parameters)
    json.dumps(board)
    shown = board["hotspots"]
    assert [h["rank"] for h in shown] == list(range(1, len(shown) + 1))
    keys = [(-h["confirmed"], -h["emerging"]) for h in shown]
    assert keys == sorted(keys)
    for above, below in itertools.pairwise(shown):
        if (above["confirmed"], above["emerging"]) == (below["confirmed"], below["emerging"]):
            assert above["heat"] >= below["heat"]
        else:
            assert (above["confirmed"], above["emerging"]) > (below["confirmed"], below["emerging"])
    # Whoever is not shown comes after all that are, ids deciding among equals.
    everything = board_of(works_of(said), {}, BUCKET, replace(parameters, board_size=100))
    assert everything["hotspots"][:5] == shown
    ids = itertools.groupby(
        everything["hotspots"], lambda h: (h["confirmed"], h["emerging"], h["heat"])
    )
    for _, equals in ids:
        names = [h["hotspot_id"] for h in equals]
        assert names == sorted(names)
    worth = [w for w in said if w["confirmed"] or w["emerging"] or w["stages"]]
    assert len(shown) == min(len(worth), 5)
    assert board["time_ms"] == (BUCKET + 1) * 5 * MINUTE_MS


def test_what_is_shown_has_a_name_and_a_reason() -> None:
    (shown,) = board_of(works_of([{"emerging": True}]), {}, BUCKET, Parameters())["hotspots"]
    assert shown["title"] == "topic:t00"
    assert shown["screening"] == []
    assert shown["reason"] == "forecast_above_alert_level"
