"""Boosted trees grown by LightGBM, and taken out of it as the arrays that a forecast is made of.

The library is loaded when trees are grown, and not before: who only makes forecasts needs none of
it.

References:
    [1] G. Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", 2017.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.forecast_model import LEAF, NODE, Nodes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

THRESHOLD_DIGITS: Final = 9
"""Of a threshold. Nine digits tell every two float32 numbers apart (IEEE 754, 5.12.2), and it lies
in the middle between two of them: rounded, it still parts the same features."""

VALUE_DIGITS: Final = 11
"""Of a leaf: the sum of a thousand is exact to 1e-9."""

MEAN_DIGITS: Final = 5
"""Of what a tree says on the way, which explains and decides nothing."""


class NoTreesError(RuntimeError):
    """The library that grows trees cannot be loaded here."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a model may grow.

    Attributes:
        leaves: Of a tree.
        rate: How much of a tree counts.
        trees: How many at the most.
        trees_least: How many at the least; 0 where videos left out may choose as few as they like.
    """

    leaves: int
    rate: float
    trees: int
    trees_least: int = 0


@dataclass(frozen=True, slots=True)
class Grown:
    """Trees that were grown, in the library's own form."""

    booster: Any

    def scores(self, features: Singles, trees: int) -> Floats:
        """Return float[n]: the sum of the first trees (log odds) for float32[n, F]."""
        found = self.booster.predict(features, raw_score=True, num_iteration=trees, num_threads=1)
        return np.asarray(found, np.float64)

    def nodes(self, trees: int) -> tuple[Nodes, Ints]:
        """Return forecast_model.NODE[n] and int64[t], the roots, of the first trees."""
        return nodes_of(self.booster.dump_model(num_iteration=trees))


def library_version() -> str:
    """Return the version of the library.

    Raises:
        NoTreesError: It cannot be loaded.
    """
    return str(_library().__version__)


def grow(
    features: Singles,
    hit: Flags,
    weight: Floats,
    size: Size,
    advance: Callable[[int], None] | None = None,
    before: Floats | None = None,
) -> Grown:
    """Grow trees that tell hits from misses (log odds) [1].

    The same rows in the same order give the same trees.

    Args:
        features: float32[n, F], all finite.
        hit: bool[n].
        weight: float[n], how much each row counts.
        size: How far to grow.
        advance: Called with 1 after each tree.
        before: float[n], log odds that the trees are added to, where there are any.

    Raises:
        NoTreesError: The library cannot be loaded.
    """
    library = _library()

    def tell(_: object) -> None:
        if advance is not None:
            advance(1)

    target = hit.astype(np.float32)
    data = library.Dataset(features, target, weight=weight, init_score=before)
    parameters = {**_PARAMETERS, "num_leaves": size.leaves, "learning_rate": size.rate}
    return Grown(library.train(parameters, data, size.trees, callbacks=[tell]))


_PARAMETERS: Final[Mapping[str, Any]] = {
    "objective": "binary",
    # Measured on the development halves (docs/detection.md): leaves of fewer rows, no penalty,
    # or all rows and features for every tree gained nothing on videos that were not trained on.
    "min_data_in_leaf": 50,
    "lambda_l2": 5.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    # Features are always finite: no tree needs to know where a missing one goes.
    "use_missing": False,
    # The same rows, the same trees: LightGBM's documentation of `deterministic` asks for the rest.
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 1,
    "verbosity": -1,
}


def _library() -> ModuleType:
    try:
        import lightgbm  # noqa: PLC0415 - see the top: only who trains pays for it
    except (ImportError, OSError) as error:
        # OSError: its wheel leaves GCC's libgomp to the system, and slim images have none.
        raise NoTreesError(f"LightGBM cannot be loaded: {error}") from error
    return lightgbm


def nodes_of(dump: Mapping[str, Any]) -> tuple[Nodes, Ints]:
    """Return NODE[n] and int64[t], the roots, of what LightGBM's `dump_model` returned.

    Raises:
        ValueError: A node decides in a way that a forecast's nodes do not know.
    """
    rows: list[tuple[float, float, int, int, int, int]] = []
    roots = []
    for tree in dump["tree_info"]:
        roots.append(len(rows))
        _add(rows, tree["tree_structure"])
    return np.array(rows, NODE), np.array(roots, np.int64)


def average(ensembles: Sequence[tuple[Nodes, Ints]]) -> tuple[Nodes, Ints]:
    """Return NODE[n] and int64[t], the roots, of trees whose sum is the mean of the ensembles'."""
    all_nodes, all_roots, before = [], [], 0
    for nodes, roots in ensembles:
        moved = nodes.copy()
        inner = moved["feature"] != LEAF
        for side in ("left", "right"):
            moved[side][inner] += before
        moved["value"] /= len(ensembles)
        all_nodes.append(moved)
        all_roots.append(roots + before)
        before += len(nodes)
    return np.concatenate(all_nodes), np.concatenate(all_roots)


def _add(
    rows: list[tuple[float, float, int, int, int, int]], part: Mapping[str, Any]
) -> tuple[float, int]:
    """Add a node and what lies below it; return the mean of its leaves and how many rows it has."""
    if "leaf_value" in part:
        value = _rounded(part["leaf_value"], VALUE_DIGITS)
        rows.append((0.0, value, LEAF, 0, 0, 0))
        # A tree that is one leaf does not say how many rows it has: it has no mean but its own.
        return value, int(part.get("leaf_count", 1))
    if part["decision_type"] != "<=" or part["missing_type"] != "None":
        raise ValueError(
            f"a node decides by {part['decision_type']!r}, missing {part['missing_type']!r}"
        )
    place = len(rows)
    rows.append((0.0, 0.0, LEAF, 0, 0, 0))
    left = len(rows)
    left_mean, left_count = _add(rows, part["left_child"])
    right = len(rows)
    right_mean, right_count = _add(rows, part["right_child"])
    count = left_count + right_count
    mean = (left_mean * left_count + right_mean * right_count) / count
    threshold = _rounded(part["threshold"], THRESHOLD_DIGITS)
    rows[place] = (
        threshold,
        _rounded(mean, MEAN_DIGITS),
        int(part["split_feature"]),
        left,
        right,
        0,
    )
    return mean, count


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits - 1}e}")
