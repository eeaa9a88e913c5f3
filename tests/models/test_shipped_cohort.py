import numpy as np
import pytest

from models.cohorts import AGES, REACHES, SHIPPED, SIGNALS
from models.evidence import GREATEST_PROPENSITY
from models.shipped_cohort import SHIPPED_COHORT
from models.vocabulary import Signal


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("propensity", (SIGNALS, AGES, REACHES)),
        ("scarcity", (AGES, REACHES)),
        ("concentration", (SIGNALS,)),
        ("intensity", (SIGNALS, AGES)),
        ("shape", (SIGNALS,)),
        ("rhythm", (24,)),
    ],
)
def test_every_cell_is_there_and_usable(name: str, shape: tuple[int, ...]) -> None:
    values = getattr(SHIPPED, name)
    assert values.shape == shape
    assert np.isfinite(values).all()
    assert (values > 0).all()


def test_nulls_leave_room_for_their_alternatives() -> None:
    # A null above the greatest alternative would never be exceeded: the rule would be switched off.
    assert (SHIPPED.propensity < GREATEST_PROPENSITY / 3).all()
    assert (SHIPPED.scarcity < SHIPPED.propensity[Signal.IDENTIFICATION]).all()


def test_it_stands_for_no_video_and_survives_being_written() -> None:
    assert SHIPPED.videos == 0
    assert SHIPPED.rhythm.mean() == pytest.approx(1.0)
    assert SHIPPED.to_dict() == SHIPPED_COHORT
