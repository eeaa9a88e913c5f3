import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.topic_names import are_alike, normalised


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("《逃出大英博物馆》", "#逃出 大英博物馆#", True),
        ("Bad Apple!!", "bad apple", True),
        ("ＷＴＴ冠军赛2023", "wtt冠军赛2023", True),
        ("逃出大英博物馆", "逃离大英博物馆", True),
        ("Mate60 Pro+", "Mate60 Pro", False),
        ("歌手2024", "歌手2025", False),
        ("种地吧第一季的大结局", "种地吧第二季的大结局", False),
        ("流浪地球上集完整版", "流浪地球下集完整版", False),
        ("长安三万里", "长安的荔枝", False),
        ("抢票", "抢票了", False),
        ("", "", False),
        ("!!", "??", False),
    ],
)
def test_names_are_alike_when_they_differ_in_little_and_in_no_number(
    one: str, other: str, *, alike: bool
) -> None:
    assert are_alike(normalised(one), normalised(other)) is alike


@given(one=st.text(max_size=12), other=st.text(max_size=12))
def test_likeness_has_no_direction(one: str, other: str) -> None:
    assert are_alike(one, other) == are_alike(other, one)
