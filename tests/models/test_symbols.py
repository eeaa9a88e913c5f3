import math

from hypothesis import given
from hypothesis import strategies as st

from models.phrase_counts import PhraseCounts
from models.symbols import SURPRISE, WorkSymbols, surprise


def everywhere_of(*parts: tuple[dict[str, int], int]) -> PhraseCounts:
    counts = PhraseCounts(1_000)
    for phrases, people in parts:
        counts.add(phrases, people)
    return counts


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 400), st.integers(0, 40))
def test_only_a_rise_surprises(now: int, more: int, people_before: int, before: int) -> None:
    people, before = now + more + 1, min(before, people_before)
    found = surprise(now, people, before, people_before)
    assert math.isfinite(found)
    assert found >= -1e-9
    if now / people <= before / people_before:
        assert found == 0.0


def test_surprise_is_dunnings_ratio() -> None:
    def entropy(*counts: int) -> float:
        return sum(count * math.log(count / sum(counts)) for count in counts if count)

    # Of the four cells of the table: 2 * (H(cells) - H(rows) - H(columns)), by its definition.
    expected = 2 * (entropy(10, 22, 5, 295) - entropy(32, 300) - entropy(15, 317))
    assert math.isclose(surprise(10, 32, 5, 300), expected, rel_tol=1e-9)


def test_what_rises_in_one_work_alone_is_a_symbol() -> None:
    work = WorkSymbols()
    work.add(1, {"好看": 20}, 100)
    work.add(2, {"好看": 20, "小玉壶": 30}, 100)
    everywhere = everywhere_of(
        ({"好看": 20}, 100), ({"好看": 20, "小玉壶": 30}, 100), ({"好看": 200}, 1_000)
    )
    (symbol,) = work.emerging(everywhere)
    assert symbol["phrase"] == "小玉壶"
    assert symbol["share"] == 0.3
    assert symbol["share_before"] == 0.0
    assert symbol["surprise"] >= SURPRISE


def test_what_rises_everywhere_is_none() -> None:
    work = WorkSymbols()
    work.add(1, {}, 100)
    work.add(2, {"新年快乐": 30}, 100)
    everywhere = everywhere_of(({"新年快乐": 30}, 200), ({"新年快乐": 600}, 2_000))
    assert work.emerging(everywhere) == []


def test_what_was_always_said_there_is_none() -> None:
    work = WorkSymbols()
    work.add(1, {"小玉壶": 30}, 100)
    work.add(2, {"小玉壶": 30}, 100)
    everywhere = everywhere_of(({"小玉壶": 60}, 200), ({}, 2_000))
    assert work.emerging(everywhere) == []


def test_without_a_past_the_others_decide() -> None:
    work = WorkSymbols()
    work.add(1, {"小玉壶": 30, "好看": 20}, 100)
    everywhere = everywhere_of(({"小玉壶": 30, "好看": 20}, 100), ({"好看": 400}, 2_000))
    assert [one["phrase"] for one in work.emerging(everywhere)] == ["小玉壶"]
    assert "share_before" not in work.emerging(everywhere)[0]


def test_symbols_survive_the_changelog() -> None:
    work = WorkSymbols()
    work.add(1, {"好看": 20}, 100)
    work.add(2, {"小玉壶": 30}, 100)
    assert WorkSymbols.of(work.to_list()).to_list() == work.to_list()
