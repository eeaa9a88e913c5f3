"""What is taken out of LightGBM is what LightGBM says."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from models.boosted_trees import Grown, NoTreesError, Size, average, grow, nodes_of
from models.forecast_features import FEATURES
from models.forecast_model import LEAF, Calibration, ForecastModel
from models.parameters import DAY_MS, Level

ROWS = 3_000
SIZE = Size(7, 0.1, 40)


def rows(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return random features, of which three matter, with ties as real ones have."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(ROWS, len(FEATURES))).astype(np.float32)
    features[:, 3] = np.round(features[:, 3])
    odds = 2 * features[:, 0] - features[:, 5] * (features[:, 3] > 0) - 1
    hit = random.random(ROWS) < 1 / (1 + np.exp(-odds))
    return features, hit, random.uniform(0.1, 2.0, ROWS)


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(*rows(), SIZE)


def model_of(grown: Grown, trees: int) -> ForecastModel:
    nodes, roots = grown.nodes(trees)
    edges = np.array([-20.0, 20.0])
    return ForecastModel(
        name="test",
        level=Level("view", 10_000),
        horizon_ms=7 * DAY_MS,
        features=FEATURES,
        nodes=nodes,
        roots=roots,
        intercept=0.0,
        # A straight line: what comes out is the score.
        calibration=Calibration(edges, (edges + 20) / 40),
    )


@pytest.mark.parametrize("trees", [1, 17, SIZE.trees])
def test_the_trees_taken_out_say_what_the_library_says(grown: Grown, trees: int) -> None:
    # Rows it was grown on lie exactly beside thresholds, the others anywhere.
    features = np.concatenate([rows(1)[0], rows(2)[0], 100 * rows(3)[0]])

    score = model_of(grown, trees).probabilities(features.astype(np.float64)) * 40 - 20

    expected = grown.scores(features, trees)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(score, expected, rtol=0, atol=1e-9)


def test_the_mean_of_two_says_the_mean_of_what_both_say(grown: Grown) -> None:
    other = grow(*rows(4), Size(4, 0.2, 20))
    nodes, roots = average([grown.nodes(SIZE.trees), other.nodes(20)])
    features = rows(2)[0]

    model = replace(model_of(grown, 1), nodes=nodes, roots=roots)
    score = model.probabilities(features.astype(np.float64)) * 40 - 20

    expected = (grown.scores(features, SIZE.trees) + other.scores(features, 20)) / 2
    np.testing.assert_allclose(score, expected, rtol=0, atol=1e-9)
    # Explained as well: the contributions make up what is said beside the trees' own means.
    added = model.contributions(features[0].astype(np.float64)).sum() + nodes["value"][roots].sum()
    assert added == pytest.approx(score[0], abs=1e-3)
    again = ForecastModel.from_bytes(model.to_bytes(), FEATURES)
    assert again.to_bytes() == model.to_bytes()


def test_the_file_of_the_trees_is_read_back(grown: Grown) -> None:
    model = model_of(grown, SIZE.trees)

    assert ForecastModel.from_bytes(model.to_bytes(), FEATURES).to_bytes() == model.to_bytes()
    assert len(model.roots) == SIZE.trees
    assert (
        np.bincount(
            np.searchsorted(
                model.roots, np.flatnonzero(model.nodes["feature"] == LEAF), side="right"
            )
        )
        <= SIZE.leaves
    ).all()


def test_what_is_said_on_the_way_is_the_mean_of_the_rows_below(grown: Grown) -> None:
    features, *_ = rows()
    model = replace(model_of(grown, 1), calibration=Calibration(np.zeros(1), np.ones(1)))

    said = grown.scores(features, 1)

    # The rows a tree grew on are a sample (bagging), so its mean is near that of all.
    assert model.nodes["value"][0] == pytest.approx(said.mean(), abs=0.02)
    inner = model.nodes["feature"] != LEAF
    low = np.minimum(
        model.nodes["value"][model.nodes["left"]], model.nodes["value"][model.nodes["right"]]
    )
    high = np.maximum(
        model.nodes["value"][model.nodes["left"]], model.nodes["value"][model.nodes["right"]]
    )
    values = model.nodes["value"][inner]
    assert (low[inner] - 1e-4 <= values).all()
    assert (values <= high[inner] + 1e-4).all()


def test_rows_that_tell_nothing_make_trees_of_one_leaf() -> None:
    features = np.zeros((400, len(FEATURES)), np.float32)
    hit = np.arange(400) % 4 == 0

    nodes, roots = grow(features, hit, np.ones(400), Size(7, 0.1, 3)).nodes(3)

    assert set(nodes["feature"].tolist()) == {LEAF}
    assert nodes["value"][roots].sum() == pytest.approx(np.log(0.25 / 0.75))


def test_the_same_rows_grow_the_same_trees() -> None:
    first, again = (grow(*rows(), Size(7, 0.1, 5)).nodes(5)[0].tobytes() for _ in range(2))

    assert first == again


def test_each_tree_is_told_of() -> None:
    told: list[int] = []

    grow(*rows(), Size(4, 0.1, 6), told.append)

    assert told == [1] * 6


def test_a_library_that_cannot_be_loaded_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # What Python does where a module is None is what it does where there is none.
    monkeypatch.setitem(sys.modules, "lightgbm", None)

    with pytest.raises(NoTreesError, match="LightGBM cannot be loaded"):
        grow(*rows(), SIZE)


def test_a_node_that_decides_otherwise_is_refused() -> None:
    leaf = {"leaf_value": 0.5, "leaf_count": 3}
    split = {
        "split_feature": 0,
        "threshold": 1.0,
        "decision_type": "==",
        "missing_type": "None",
        "left_child": leaf,
        "right_child": leaf,
    }
    for change in ({}, {"decision_type": "<=", "missing_type": "NaN"}):
        with pytest.raises(ValueError, match="decides by"):
            nodes_of({"tree_info": [{"tree_structure": split | change}]})
