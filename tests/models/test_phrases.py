import re

from hypothesis import given
from hypothesis import strategies as st
from splitmix import mixed

from models.comment_sample import NO_SENTIMENT, SAMPLE_SIZE, CommentSample, SampledComment
from models.phrase_counts import PhraseCounts
from models.phrases import PEOPLE_MIN, PHRASES_TOLD, most_of, phrases_in, without_parts


def sample_of(*said: tuple[int, str]) -> CommentSample:
    sample = CommentSample()
    for number, (actor, text) in enumerate(said):
        priority = mixed(number)
        sample.offer(SampledComment(priority, number, actor, 0, 0, -1, NO_SENTIMENT, "", text))
    return sample


def test_hashtags_words_and_runs_are_phrases() -> None:
    text = "#大英博物馆# 家书回来了 The Museum #gohome"
    found = phrases_in(sample_of(*((actor, text) for actor in range(1, PEOPLE_MIN + 1))))
    # 了 ends no phrase, and a piece of the rest gives way to it.
    assert set(found) == {"#大英博物馆", "家书回来", "museum", "#gohome"}


def plain_phrases(text: str) -> set[str]:
    """Every phrase of a text, whoever else uses it."""
    tagged = text.lower()
    found = {f"#{tag.strip()}" for tag in re.findall(r"[#＃]([^#＃\n]{2,32})[#＃]", tagged)}
    rest = re.sub(r"[#＃]([^#＃\n]{2,32})[#＃]", " ", tagged)
    found |= {f"#{tag}" for tag in re.findall(r"[#＃](\w{2,32})", rest)}
    rest = re.sub(r"[#＃](\w{2,32})", " ", rest)
    found |= set(re.findall(r"[a-z][a-z0-9']{2,}", rest))
    for run in re.findall(r"[\u4e00-\u9fff]{2,}", rest):
        pieces = {run[a:b] for a in range(len(run)) for b in range(a + 2, min(a + 6, len(run)) + 1)}
        found |= {p for p in pieces if len(set(p)) > 1 and not {p[0], p[-1]} & set("的了")}
    return found


@given(st.lists(st.tuples(st.integers(0, 5), st.text("文物回家的了家 #ab", max_size=14))))
def test_phrases_are_those_of_a_plain_count(said: list[tuple[int, str]]) -> None:
    people: dict[str, set[object]] = {}
    for actor, text in said[:SAMPLE_SIZE]:
        for phrase in plain_phrases(text):
            people.setdefault(phrase, set()).add(actor or text)
    counts = {phrase: len(who) for phrase, who in people.items() if len(who) >= PEOPLE_MIN}
    found = phrases_in(sample_of(*said[:SAMPLE_SIZE]))
    assert found == most_of(without_parts(counts), PHRASES_TOLD)


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
