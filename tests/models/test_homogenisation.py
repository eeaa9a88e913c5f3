import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.homogenisation import (
    LATEST,
    LEAST,
    distinct,
    homogenisation_of,
    is_near_copy,
    near_copies,
    wilson_interval,
)
from models.tracked_videos import TrackedVideo

ORIGINALS = [f"{0x9E3779B97F4A7C15 * (n + 1) % 2**64:016x}" for n in range(2 * LATEST)]


def made(*said: tuple[str, str]) -> list[TrackedVideo]:
    return [
        TrackedVideo(n, f"p\x1fv{n}", title, f"c{n}", fingerprint=fingerprint, published_ms=n)
        for n, (fingerprint, title) in enumerate(said)
    ]


def test_hashes_match_up_to_pdqs_share_of_bits() -> None:
    at_limit, beyond = f"{(1 << 7) - 1:016x}", f"{(1 << 8) - 1:016x}"
    near = near_copies(["0" * 16, at_limit, beyond], ["", "", ""])
    assert near.tolist() == [[True, True, False], [True, True, True], [False, True, True]]


def test_short_hashes_match_by_equality_and_lengths_are_not_mixed() -> None:
    near = near_copies(["0", "1", "0", "00"], [""] * 4)
    assert near[0].tolist() == [True, False, True, False]


def test_content_is_the_better_witness_than_titles() -> None:
    same = "小玉壶同款变装"
    near = near_copies([ORIGINALS[0], ORIGINALS[1], "", ""], [same, same, same, ""])
    assert near[0].tolist() == [True, False, True, False]
    assert not near[3, :3].any()


TITLES = st.lists(st.text("小玉壶ab ", max_size=8), min_size=1, max_size=8)


@given(titles=TITLES, data=st.data())
def test_resemblance_is_that_of_sets_of_shingles(titles: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(titles))))
    near = near_copies([""] * len(titles), titles)
    assert (near == near.T).all()
    assert near.diagonal().all()
    shuffled = near_copies([""] * len(titles), [titles[i] for i in order])
    assert (shuffled == near[np.ix_(order, order)]).all()
    for i, one in enumerate(titles):
        for j, other in enumerate(titles):
            text, more = "".join(one.split()), "".join(other.split())
            if i != j and len(text) > 1 and len(more) > 1:
                a = {text[k : k + 2] for k in range(len(text) - 1)}
                b = {more[k : k + 2] for k in range(len(more) - 1)}
                assert near[i, j] == (2 * len(a & b) >= len(a | b))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_without_similarity_diversity_is_hills_number_of_order_two(kinds: list[int]) -> None:
    same = np.array(kinds)[:, None] == np.array(kinds)[None, :]
    shares = np.bincount(kinds) / len(kinds)
    assert distinct(same) == pytest.approx(1 / (shares**2).sum())


def test_the_latest_are_told_with_what_was_before() -> None:
    assert homogenisation_of(made(*[(ORIGINALS[n], "") for n in range(LEAST - 1)])) is None
    copies = [(f"{1 << n % 3:016x}", "一键同款") for n in range(LATEST)]
    found = homogenisation_of(made(*[(o, "看法") for o in ORIGINALS[:LATEST]], *copies))
    assert found is not None
    assert (found.latest, found.near_copies, found.share) == (LATEST, LATEST, 1.0)
    assert found.distinct == pytest.approx(1.0)
    assert found.distinct_share_before == pytest.approx(1.0)
    assert found.creators == LATEST
    assert found.title == "一键同款"
    assert found.examples[0] == f"p/v{LATEST}"


@given(st.integers(0, LATEST))
def test_a_majority_needs_its_interval_above_a_half(copies: int) -> None:
    low, high = wilson_interval(copies, LATEST)
    assert low + 1e-12 >= 0
    assert low <= copies / LATEST <= high
    assert (low > 0.5) <= (copies > LATEST / 2)


def test_a_video_is_held_against_all_others() -> None:
    one, copy, other = made((ORIGINALS[0], ""), (ORIGINALS[0], ""), (ORIGINALS[1], ""))
    assert is_near_copy(one, [other, copy])
    assert not is_near_copy(one, [other])
    assert not is_near_copy(one, [])
