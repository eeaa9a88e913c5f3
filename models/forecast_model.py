"""A learned forecast as data: trees, how their sum becomes a probability, and where both come from.

A file is JSON and holds numbers and names, nothing that could be run. Whatever it holds is checked
before it is used: who can write the file can make forecasts wrong, but neither crash a worker nor
keep it busy.

References:
    [1] J. H. Friedman, "Greedy function approximation: a gradient boosting machine", 2001.
    [2] A. Niculescu-Mizil, R. Caruana, "Predicting good probabilities with supervised learning",
        2005: calibration of boosted trees.
    [3] A. Saabas, "Interpreting random forests", 2014: a prediction as a sum of contributions,
        one for each step on the way to a leaf.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from models.compiled import compiled
from models.parameters import Level

FORMAT: Final = "hotspots-forecast"
FORMAT_VERSION: Final = 1
"""Goes up when a file of the old form can no longer be used."""

NODES_MAX: Final = 200_000
"""A named limit: ten times the largest model that gained anything from its size, 5 MB of arrays."""

LEAF: Final = -1
"""Stands in place of a feature where a tree ends."""

NODE: Final = np.dtype(
    [
        ("threshold", np.float64),
        ("value", np.float64),
        ("feature", np.int32),
        ("left", np.int32),
        ("right", np.int32),
        ("spare", np.int32),
    ]
)
"""A node of a tree: at most `threshold` goes left. `value` is what the tree says here: of a leaf
its contribution to the sum, elsewhere the mean of what lies below it."""

Nodes = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

Ensemble = tuple[Nodes, Ints, float, Floats, Floats]
"""What compiled code needs: nodes, roots, intercept, and the calibration's two columns."""


class ModelFormatError(ValueError):
    """A file that is no forecast this version can use."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a sum of trees becomes a probability: linear between knots, flat beyond the outer ones.

    Attributes:
        score: float[k], sums of trees (log odds), rising.
        probability: float[k] in (0, 1), never falling.
    """

    score: Floats
    probability: Floats


@dataclass(frozen=True, slots=True)
class ForecastModel:
    """A forecast for one level within one horizon.

    Attributes:
        name: What a decision names as the version it was made with.
        level: What it forecasts.
        horizon_ms: Within which time.
        features: The names of what it looks at, in order.
        nodes: NODE[n], all trees; children stand behind their parents.
        roots: int64[t], where each tree begins.
        intercept: Added to the sum.
        calibration: From the sum to the probability.
        upon: The name of what speaks without it, when the trees are added to the log odds of what
            that says, as those of a version that was learned in the stream are; without any trees
            it says then the same as that. Empty for one that speaks by itself, as a file does that
            does not mention it.
        trained: What it was trained on and how it scored, for people; nothing depends on it.
    """

    name: str
    level: Level
    horizon_ms: int
    features: tuple[str, ...]
    nodes: Nodes = field(repr=False)
    roots: Ints = field(repr=False)
    intercept: float
    calibration: Calibration = field(repr=False)
    upon: str = ""
    trained: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ensemble(self) -> Ensemble:
        """What `predict` needs."""
        return (
            self.nodes,
            self.roots,
            self.intercept,
            self.calibration.score,
            self.calibration.probability,
        )

    def probabilities(self, features: Floats, before: Floats | None = None) -> Floats:
        """Return float[n]: the probability for each row.

        Args:
            features: float[n, len(self.features)].
            before: float[n], log odds of what is said without it; if and only if it has `upon`.

        Raises:
            ValueError: That is missing, or too much.
        """
        if (before is None) == bool(self.upon):
            raise ValueError("what is said without a model belongs to one that adds to it")
        out = np.empty(len(features))
        offsets = np.zeros(len(features)) if before is None else before
        predict_all(self.ensemble, offsets, np.ascontiguousarray(features, np.float64), out)
        return out

    def contributions(self, features: Floats) -> Floats:
        """Return how much each feature of one video adds to the sum of the trees [3].

        Args:
            features: float[len(self.features)].

        Returns:
            float[len(self.features)], in log odds: together with what the trees say of nobody in
            particular they make the sum.
        """
        added = np.zeros(len(self.features))
        contribute(self.nodes, self.roots, np.ascontiguousarray(features), added)
        return added

    def to_bytes(self) -> bytes:
        """Return the file."""
        content = {
            "name": self.name,
            "level": str(self.level),
            "horizon_ms": self.horizon_ms,
            "features": list(self.features),
            "trees": {
                **{name: self.nodes[name].tolist() for name in _TREE_COLUMNS},
                "root": self.roots.tolist(),
            },
            "intercept": self.intercept,
            "calibration": {
                "score": self.calibration.score.tolist(),
                "probability": self.calibration.probability.tolist(),
            },
            "trained": dict(self.trained),
        }
        if self.upon:
            content["upon"] = self.upon
        head = {"format": FORMAT, "version": FORMAT_VERSION, "sha256": _digest(content)}
        return json.dumps(head | content, ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes, known: Sequence[str]) -> Self:
        """Take back what `to_bytes` returned.

        Args:
            data: The file.
            known: The features that there are.

        Raises:
            ModelFormatError: It is damaged, of another version, or looks at what is not known.
        """
        try:
            stored = json.loads(data)
        except ValueError as error:
            raise ModelFormatError(f"it is not JSON: {error}") from error
        if not isinstance(stored, dict) or stored.get("format") != FORMAT:
            raise ModelFormatError(f"it is not a file of the format {FORMAT!r}")
        if stored.get("version") != FORMAT_VERSION:
            raise ModelFormatError(
                f"it is of version {stored.get('version')}, this program reads {FORMAT_VERSION}"
            )
        content = {key: stored[key] for key in stored if key not in {"format", "version", "sha256"}}
        if stored.get("sha256") != _digest(content):
            raise ModelFormatError("it is damaged: its content does not fit its checksum")
        try:
            model = cls._of(content)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ModelFormatError(f"it is incomplete: {type(error).__name__}: {error}") from error
        if unknown := [name for name in model.features if name not in known]:
            raise ModelFormatError(f"it looks at {', '.join(unknown)}, which is not known here")
        _check(model)
        return model

    @classmethod
    def _of(cls, content: Mapping[str, Any]) -> Self:
        trees = content["trees"]
        nodes = np.zeros(len(trees["feature"]), NODE)
        for name in _TREE_COLUMNS:
            nodes[name] = np.array(trees[name])
        return cls(
            name=str(content["name"]),
            level=Level.parse(content["level"]),
            horizon_ms=int(content["horizon_ms"]),
            features=tuple(content["features"]),
            nodes=nodes,
            roots=np.array(trees["root"], np.int64).reshape(-1),
            intercept=float(content["intercept"]),
            calibration=Calibration(
                np.array(content["calibration"]["score"], np.float64),
                np.array(content["calibration"]["probability"], np.float64),
            ),
            upon=str(content.get("upon", "")),
            trained=dict(content["trained"]),
        )


_TREE_COLUMNS: Final = ("feature", "threshold", "left", "right", "value")


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _check(model: ForecastModel) -> None:
    """Make sure that every walk through the trees ends, inside the arrays, with a number.

    Raises:
        ModelFormatError: It may not.
    """
    nodes, roots = model.nodes, model.roots
    least = 0 if model.upon else 1
    if not least <= len(roots) <= len(nodes) <= NODES_MAX or bool(len(roots)) != bool(len(nodes)):
        raise ModelFormatError(f"it has {len(nodes)} nodes and {len(roots)} trees")
    if len(roots) and (roots.min() < 0 or roots.max() >= len(nodes)):
        raise ModelFormatError("a tree begins outside of the nodes")
    place = np.arange(len(nodes))
    inner = nodes["feature"] != LEAF
    if ((nodes["feature"] < LEAF) | (nodes["feature"] >= len(model.features))).any():
        raise ModelFormatError("a node looks at a feature that the file does not name")
    for side in ("left", "right"):
        child = nodes[side]
        if (inner & ((child <= place) | (child >= len(nodes)))).any():
            raise ModelFormatError("the children of a node must stand behind it")
    if not math.isfinite(model.intercept) or not np.isfinite(nodes["threshold"]).all():
        raise ModelFormatError("a number is infinite or none")
    if not np.isfinite(nodes["value"]).all():
        raise ModelFormatError("a number is infinite or none")
    if model.horizon_ms <= 0:
        raise ModelFormatError("the horizon must lie in the future")
    _check_calibration(model.calibration)


def _check_calibration(calibration: Calibration) -> None:
    """Make sure that more of a score is never a smaller probability.

    Raises:
        ModelFormatError: It may be.
    """
    score, probability = calibration.score, calibration.probability
    if not np.isfinite(score).all() or not np.isfinite(probability).all():
        raise ModelFormatError("a number is infinite or none")
    if not len(score) == len(probability) > 0:
        raise ModelFormatError("the calibration's columns differ in length, or are empty")
    if (np.diff(score) <= 0).any() or (np.diff(probability) < 0).any():
        raise ModelFormatError("the calibration falls")
    if probability[0] < 0 or probability[-1] > 1:
        raise ModelFormatError("the calibration leaves 0 to 1")


@compiled
def predict(
    nodes: Nodes,
    roots: Ints,
    intercept: float,
    knots: Floats,
    probabilities: Floats,
    features: Floats | Singles,
) -> float:
    """Return the probability for one video: float[features] in, the ensemble's parts before it."""
    score = intercept
    for root in roots:
        at = root
        while nodes[at].feature != LEAF:
            if features[nodes[at].feature] <= nodes[at].threshold:
                at = np.int64(nodes[at].left)
            else:
                at = np.int64(nodes[at].right)
        score += nodes[at].value
    last = len(knots) - 1
    if score <= knots[0]:
        return float(probabilities[0])
    if score >= knots[last]:
        return float(probabilities[last])
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle] <= score:
            low = middle
        else:
            high = middle
    share = (score - knots[low]) / (knots[high] - knots[low])
    between = probabilities[low] + share * (probabilities[high] - probabilities[low])
    return float(between)


@compiled
def contribute(nodes: Nodes, roots: Ints, features: Floats | Singles, added: Floats) -> None:
    """Add to float[features] what each contributes to the sum of the trees for one video."""
    for root in roots:
        at = root
        while nodes[at].feature != LEAF:
            feature = nodes[at].feature
            if features[feature] <= nodes[at].threshold:
                child = np.int64(nodes[at].left)
            else:
                child = np.int64(nodes[at].right)
            added[feature] += nodes[child].value - nodes[at].value
            at = child


@compiled
def predict_all(ensemble: Ensemble, offsets: Floats, features: Floats, out: Floats) -> None:
    """Fill in the probability of each row.

    Args:
        ensemble: As ForecastModel.ensemble.
        offsets: float64[n], added to the sum of the trees.
        features: float64[n, features].
        out: float64[n], where to write.
    """
    nodes, roots, intercept, knots, probabilities = ensemble
    for row in range(len(features)):
        start = intercept + offsets[row]
        out[row] = predict(nodes, roots, start, knots, probabilities, features[row])
