from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.withheld import Withheld, WithheldReason

BELOW = WithheldReason.BELOW_BAR

PUT = st.tuples(st.sampled_from("abcdef"), st.booleans(), st.integers(0, 9))


@given(said=st.lists(PUT, max_size=40), most=st.integers(1, 4))
def test_the_latest_of_each_subject_is_kept_until_it_is_told(
    said: list[tuple[str, bool, int]], most: int
) -> None:
    withheld, expected = Withheld(most), list[dict[str, Any]]()
    new = 0
    for subject, told, score in said:
        new += not told and all(one["subject"] != subject for one in expected)
        expected = [one for one in expected if one["subject"] != subject]
        if told:
            withheld.told(subject)
        else:
            withheld.put(subject, {"score": score, "reason": BELOW})
            expected.append(
                {"subject": subject, "score": score, "reason": BELOW, "explanation": {}}
            )
            expected = expected[-most:]
    assert withheld.to_list() == expected
    assert withheld.latest(2) == expected[::-1][:2]
    again = Withheld(most)
    again.load_list(withheld.to_list())
    assert again.to_list() == expected
    assert len(again) == len(expected)
    assert withheld.take_counts()[BELOW] == new
    assert not withheld.take_counts()


def test_what_spoke_for_a_forecast_is_kept_until_it_is_said_anew() -> None:
    withheld = Withheld()
    withheld.put("p/v", {"score": 0.1, "reason": BELOW}, {"signals": ["fast"]})
    withheld.put("p/v", {"score": 0.2, "reason": BELOW})
    assert withheld.explanation("p/v") == {"signals": ["fast"]}
    withheld.put("p/v", {"score": 0.3, "reason": BELOW}, {"signals": ["faster"]})
    assert withheld.explanation("p/v") == {"signals": ["faster"]}
    withheld.told("p/v")
    assert withheld.explanation("p/v") == {}
