"""A forecast's file holds what was trained, and nothing in it can crash or hang who reads it."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.forecast_model import (
    LEAF,
    NODE,
    Calibration,
    ForecastModel,
    ModelFormatError,
    _digest,
)
from models.parameters import DAY_MS, Level

KNOWN = ("progress", "age", "pace")


def model() -> ForecastModel:
    """Two trees: the first looks at progress, then at age; the second is a stump on pace."""
    nodes = np.zeros(8, NODE)
    nodes["feature"] = LEAF
    nodes[0] = (0.5, 0.3, 0, 1, 2, 0)
    nodes[1]["value"] = -1.0
    nodes[2] = (2.0, 1.2, 1, 3, 4, 0)
    nodes[3]["value"], nodes[4]["value"] = 2.0, 0.5
    nodes[5] = (1.0, 0.1, 2, 6, 7, 0)
    nodes[6]["value"], nodes[7]["value"] = -0.25, 0.75
    return ForecastModel(
        name="test",
        level=Level("view", 10_000),
        horizon_ms=7 * DAY_MS,
        features=KNOWN,
        nodes=nodes,
        roots=np.array([0, 5]),
        intercept=-0.5,
        calibration=Calibration(np.array([-2.0, 0.0, 2.0]), np.array([0.1, 0.4, 0.9])),
        trained={"videos": 12},
    )


def test_the_trees_are_walked_and_their_sum_is_calibrated() -> None:
    features = np.array([[0.5, 9.0, 1.0], [0.6, 2.0, 1.1], [0.6, 2.1, 0.0], [9.0, 0.0, 9.0]])

    found = model().probabilities(features)

    # Sums: -0.5-1-0.25 = -1.75; -0.5+2+0.75 = 2.25; -0.5+0.5-0.25 = -0.25; 2.25.
    assert found == pytest.approx([0.1 + 0.3 * 0.125, 0.9, 0.1 + 0.3 * 0.875, 0.9])


def test_one_that_adds_to_what_was_said_needs_to_know_it() -> None:
    features = np.array([[0.5, 9.0, 1.0], [0.6, 2.0, 1.1]])
    upon = replace(model(), upon="first")
    np.testing.assert_array_equal(
        upon.probabilities(features, np.zeros(2)), model().probabilities(features)
    )
    # Sums of -1.75 + 1.75 and of 2.25 - 2.25.
    assert upon.probabilities(features, np.array([1.75, -2.25])) == pytest.approx([0.4, 0.4])
    with pytest.raises(ValueError, match="said without"):
        upon.probabilities(features)
    with pytest.raises(ValueError, match="said without"):
        model().probabilities(features, np.zeros(2))
    again = ForecastModel.from_bytes(upon.to_bytes(), KNOWN)
    assert again.upon == "first"
    assert not ForecastModel.from_bytes(model().to_bytes(), KNOWN).upon


def test_only_one_that_adds_to_what_was_said_may_have_nothing_to_add() -> None:
    empty = replace(model(), nodes=model().nodes[:0], roots=model().roots[:0])
    with pytest.raises(ModelFormatError, match="0 nodes and 0 trees"):
        ForecastModel.from_bytes(empty.to_bytes(), KNOWN)
    upon = replace(empty, upon="first")
    assert len(ForecastModel.from_bytes(upon.to_bytes(), KNOWN).roots) == 0


def test_a_score_below_the_first_knot_says_the_first_probability() -> None:
    low = model()
    low.nodes["value"][1] = -5.0

    assert low.probabilities(np.array([[0.0, 0.0, 0.0]])) == pytest.approx([0.1])


def test_contributions_add_up_to_what_the_trees_say() -> None:
    features = np.array([0.6, 2.1, 0.0])

    added = model().contributions(features)

    assert added == pytest.approx([1.2 - 0.3, 0.5 - 1.2, -0.25 - 0.1])
    assert added.sum() + 0.3 + 0.1 - 0.5 == pytest.approx(-0.25)


def test_a_file_comes_back_as_it_was() -> None:
    before = model()

    after = ForecastModel.from_bytes(before.to_bytes(), KNOWN)

    assert after.to_bytes() == before.to_bytes()
    assert (after.level, after.horizon_ms, after.trained) == (
        before.level,
        before.horizon_ms,
        before.trained,
    )


def _changed(change: dict[str, Any]) -> bytes:
    """Return a file with fields changed (a dotted path each) and a checksum that fits again."""
    stored = json.loads(model().to_bytes())
    for path, value in change.items():
        *way, last = path.split(".")
        inside = stored
        for step in way:
            inside = inside[step]
        inside[last] = value
    content = {k: v for k, v in stored.items() if k not in {"format", "version", "sha256"}}
    stored["sha256"] = _digest(content)
    return json.dumps(stored).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "pickle"}, "format"),
        ({"version": 2}, "version 2"),
        ({"features": ["progress", "age", "weather"]}, "weather"),
        ({"trees.left": [0, 0, 3, 0, 0, 6, 0, 0]}, "behind"),
        ({"trees.right": [2, 0, 8, 0, 0, 7, 0, 0]}, "behind"),
        ({"trees.feature": [3, -1, 1, -1, -1, 2, -1, -1]}, "does not name"),
        ({"trees.feature": [-2, -1, 1, -1, -1, 2, -1, -1]}, "does not name"),
        ({"trees.root": [0, 8]}, "outside"),
        ({"trees.root": []}, "0 trees"),
        ({"trees.value": [0.0] * 7}, "incomplete"),
        ({"trees.threshold": ["x"] * 8}, "incomplete"),
        ({"intercept": float("nan")}, "infinite or none"),
        ({"trees.value": [float("inf")] * 8}, "infinite or none"),
        ({"calibration.score": [0.0, 0.0, 1.0]}, "falls"),
        ({"calibration.probability": [0.5, 0.4, 0.9]}, "falls"),
        ({"calibration.probability": [0.1, 0.4, 1.1]}, "leaves"),
        ({"calibration.score": [0.0]}, "differ"),
        ({"level": "view"}, "incomplete"),
        ({"horizon_ms": 0}, "future"),
        ({"trained": 7}, "incomplete"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelFormatError, match=said):
        ForecastModel.from_bytes(_changed(change), KNOWN)


@pytest.mark.parametrize("data", [b"", b"\x80\x04K\x01.", b"[1]", b'"x"', b"\xff"])
def test_what_is_no_file_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(ModelFormatError):
        ForecastModel.from_bytes(data, KNOWN)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused(data: st.DataObject) -> None:
    whole = bytearray(model().to_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    before = whole[at]
    whole[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != before))

    try:
        loaded = ForecastModel.from_bytes(bytes(whole), KNOWN)
    except ModelFormatError:
        return
    # A change that JSON reads as the same, such as another blank.
    assert loaded.to_bytes() == model().to_bytes()
