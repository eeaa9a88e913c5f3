from hypothesis import given
from hypothesis import strategies as st

from models.comment_sample import NO_SENTIMENT, CommentSample, SampledComment, mixed
from models.phrase_counts import PhraseCounts
from models.phrases import PEOPLE_MIN, PHRASES_TOLD, phrases_in, phrases_of, without_parts


def sample_of(*said: tuple[int, str]) -> CommentSample:
    sample = CommentSample()
    for number, (actor, text) in enumerate(said):
        priority = mixed(number)
        sample.offer(SampledComment(priority, number, actor, 0, 0, -1, NO_SENTIMENT, "", text))
    return sample


def test_hashtags_words_and_runs_are_phrases() -> None:
    found = phrases_of("#大英博物馆# 家书回来了 The Museum #gohome")
    assert {"#大英博物馆", "家书", "museum", "#gohome"} <= found
    assert not {"the", "回来了", "馆", "大英"} & found


def test_a_phrase_needs_several_people() -> None:
    one_person = [(7, f"文物回家 {number}") for number in range(10)]
    assert phrases_in(sample_of(*one_person)) == {}
    several = [(actor, "文物回家") for actor in range(1, PEOPLE_MIN + 1)]
    assert phrases_in(sample_of(*several)) == {"文物回家": PEOPLE_MIN}


def test_a_part_gives_way_to_the_whole_unless_more_people_use_it() -> None:
    assert without_parts({"文物": 3, "文物回家": 3}) == {"文物回家": 3}
    assert without_parts({"文物": 4, "文物回家": 3}) == {"文物回家": 3, "文物": 4}


@given(st.lists(st.tuples(st.integers(1, 9), st.text("文物回家大英博#abc ", max_size=20))))
def test_no_phrase_has_more_people_than_there_are(said: list[tuple[int, str]]) -> None:
    found = phrases_in(sample_of(*said))
    assert len(found) <= PHRASES_TOLD
    assert all(PEOPLE_MIN <= count <= len({actor for actor, _ in said}) for count in found.values())


counted = st.lists(
    st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 9), max_size=6), max_size=12
)


def counts_of(parts: list[dict[str, int]], room: int) -> PhraseCounts:
    counts = PhraseCounts(room)
    for part in parts:
        counts.add(part, 9)
    return counts


@given(counted, counted, st.integers(1, 8))
def test_counts_are_bounded_on_both_sides_whatever_was_forgotten(
    some: list[dict[str, int]], others: list[dict[str, int]], room: int
) -> None:
    counts = counts_of(some, room)
    counts.merge(counts_of(others, room))
    assert len(counts) <= room
    assert counts.people == 9 * len(some + others)
    for phrase in "abcdefghij":
        exact = sum(part.get(phrase, 0) for part in some + others)
        assert counts.at_least(phrase) <= exact <= counts.at_most(phrase)


@given(counted, st.integers(1, 8))
def test_counts_survive_the_changelog(parts: list[dict[str, int]], room: int) -> None:
    counts = counts_of(parts, room)
    assert PhraseCounts.of(counts.to_list(), room).to_list() == counts.to_list()
