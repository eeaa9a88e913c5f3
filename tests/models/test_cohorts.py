import json

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cohorts import (
    AGE_BANDS_H,
    AGES,
    REACH_BANDS,
    REACHES,
    SHIPPED,
    CohortVersion,
    PlatformCohort,
    age_band,
    reach_band,
)
from models.parameters import HOUR_MS


def cohort(seed: int) -> PlatformCohort:
    rng = np.random.default_rng(seed)
    shapes = {k: np.shape(v) for k, v in SHIPPED.to_dict().items() if k != "videos"}
    return PlatformCohort(**{k: rng.random(s) for k, s in shapes.items()}, videos=seed)


@given(seeds=st.lists(st.integers(0, 10_000), max_size=3), through=st.integers(0, 10**6))
def test_a_version_survives_the_learned_topic(seeds: list[int], through: int) -> None:
    version = CohortVersion(through, {f"p{seed}": cohort(seed) for seed in seeds})
    again = CohortVersion.from_dict(json.loads(json.dumps(version.to_dict())))
    assert again.name == version.name == f"epoch:{through}"
    assert again.to_dict() == version.to_dict()
    for name, before in version.platforms.items():
        after = again.platforms[name]
        # Bit for bit: a decision after a restart must be the one before it.
        for column in ("propensity", "scarcity", "concentration", "intensity", "shape", "rhythm"):
            np.testing.assert_array_equal(getattr(before, column), getattr(after, column))
        assert before.videos == after.videos


def test_the_order_in_which_platforms_came_is_not_written() -> None:
    one = CohortVersion(5, {"a": cohort(1), "b": cohort(2)})
    two = CohortVersion(5, {"b": cohort(2), "a": cohort(1)})
    assert json.dumps(one.to_dict()) == json.dumps(two.to_dict())


def test_a_platform_that_nothing_was_learned_of_has_the_shipped_cohort() -> None:
    version = CohortVersion(0, {"a": cohort(1)})
    assert version.of("a") is version.platforms["a"]
    assert version.of("never seen") is SHIPPED


@pytest.mark.parametrize(
    ("band", "edges", "count"),
    [
        (age_band, [h * HOUR_MS for h in AGE_BANDS_H], AGES),
        (reach_band, list(REACH_BANDS), REACHES),
    ],
)
def test_bands_change_exactly_at_their_edges(
    band: "type[npt.NDArray[np.int64]]", edges: list[int], count: int
) -> None:
    for number, edge in enumerate(edges):
        assert band(np.array([edge - 1, edge])).tolist() == [number, number + 1]
    assert band(np.array([-1, 0, 10**15])).tolist() == [0, 0, count - 1]
