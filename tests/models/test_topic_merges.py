from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from models.guidance_actions import GuidanceAction
from models.parameters import DAY_MS, MINUTE_MS, Parameters
from models.roll_up import RollUp
from models.stage_reports import ALWAYS
from models.topic_merges import LEAST_CREATORS, MOST_NAMES, MergeReason, Share, TopicMerges

BUCKET_MS = 5 * MINUTE_MS
DAY = DAY_MS // BUCKET_MS
NOW = 5_644_512
FILM, TYPO, STAR = "逃出大英博物馆", "逃离大英博物馆", "煎饼果仔"


def roll_up_of(*topics: str) -> RollUp:
    """Return works of topics, of each of which there is something to say."""
    roll_up = RollUp(Parameters(bucket_ms=BUCKET_MS))
    for number, topic in enumerate(topics):
        work = roll_up.works.add(f"topic:{topic}", topic)
        work.row["topical"] = work.row["emerging"] = True
        work.row["first_ms"] = number
        work.row["last_bucket"] = NOW
        links = roll_up.tracked.links
        links.work[links.number(work.work_id)] = work.slot
    return roll_up


def put(
    roll_up: RollUp, creator: int, topics: Sequence[str], source: str = "", bucket: int = NOW
) -> str:
    """Let a creator publish a video under some topics; return its key."""
    tracked = roll_up.tracked
    key = f"p\x1fv{len(tracked)}"
    video = tracked.add(key)
    said = {"creator_id": f"c{creator}", "topics": list(topics)}
    tracked.describe(video, said | ({"source": source} if source else {}))
    tracked.relink([key])
    tracked.rows["last_bucket"][video.slot] = bucket
    return key


def reasons(roll_up: RollUp, bucket: int = NOW) -> dict[tuple[str, str], str]:
    roll_up.merges.look(bucket)
    return {(m.one[6:], m.other[6:]): m.reason for m in roll_up.merges}


def test_names_that_differ_only_in_writing_are_one_work() -> None:
    roll_up = roll_up_of("Escape Plan", "#escapeplan#", "escape plan 2")
    assert reasons(roll_up) == {("#escapeplan#", "Escape Plan"): MergeReason.SAME_NAME}
    (said,) = roll_up.merges.also_known_as("topic:Escape Plan")
    assert said["topic"] == "#escapeplan#"
    assert said["why"] == "the names differ only in how they are written"
    assert roll_up.merges.also_known_as("topic:escape plan 2") == []


def test_names_alike_need_creators_who_use_both() -> None:
    roll_up = roll_up_of(FILM, TYPO)
    for creator in range(20):
        put(roll_up, creator, [FILM])
        put(roll_up, creator, [TYPO])
    assert reasons(roll_up) == {}
    for creator in range(16):
        put(roll_up, creator, [FILM, TYPO])
    assert reasons(roll_up) == {(FILM, TYPO): MergeReason.ALIKE_AND_CO_OCCURRING}
    (said,) = roll_up.merges.also_known_as(f"topic:{FILM}")
    assert said["co_occurrence"] == [16, 20]


def test_one_creator_alone_makes_no_work_of_two() -> None:
    roll_up = roll_up_of(FILM, TYPO)
    for _ in range(100):
        put(roll_up, 1, [FILM, TYPO])
    assert reasons(roll_up) == {}


def test_a_film_and_its_star_go_together_but_are_two() -> None:
    roll_up = roll_up_of(FILM, STAR)
    for creator in range(30):
        put(roll_up, creator, [FILM, STAR])
    assert reasons(roll_up) == {}


def test_names_unlike_are_one_work_when_it_is_passed_on_by_either() -> None:
    other = "Escape from the British Museum"
    roll_up = roll_up_of(FILM, other)
    for creator in range(30):
        source = put(roll_up, creator, [FILM, other])
        if creator % 2:
            put(roll_up, 100 + creator, [other, FILM], source)
    pair = (other, FILM)
    assert reasons(roll_up) == {pair: MergeReason.DERIVED_AND_CO_OCCURRING}
    # What is made of it under its own name alone tells of another work.
    for creator in range(30):
        source = put(roll_up, 200 + creator, [FILM])
        put(roll_up, 300 + creator, [FILM], source)
    assert reasons(roll_up) == {}


def test_a_merge_stays_while_its_evidence_is_unclear_and_ends_when_it_fades() -> None:
    roll_up = roll_up_of(FILM, TYPO)
    for creator in range(20):
        put(roll_up, creator, [FILM, TYPO])
    assert len(reasons(roll_up)) == 1
    (merge,) = roll_up.merges
    for creator in range(100, 120):
        put(roll_up, creator, [FILM])
    # Twenty of forty: too few to begin with, and enough to stay.
    assert len(reasons(roll_up, NOW + 1)) == 1
    (again,) = roll_up.merges
    assert (again.merge_id, again.since_ms) == (merge.merge_id, merge.since_ms)
    assert again.co_occurrence == (20, 40)
    fresh = roll_up_of(FILM, TYPO)
    for creator in range(20):
        put(fresh, creator, [FILM, TYPO])
        put(fresh, 100 + creator, [FILM])
    assert reasons(fresh) == {}
    for creator in range(200, 230):
        put(roll_up, creator, [TYPO])
    assert reasons(roll_up, NOW + 2) == {}
    assert roll_up.merges.also_known_as(f"topic:{FILM}") == []


def test_a_merge_ends_when_nobody_has_used_both_names_for_a_week() -> None:
    roll_up = roll_up_of(FILM, TYPO)
    for creator in range(20):
        put(roll_up, creator, [FILM, TYPO], bucket=NOW - 6 * DAY)
    assert len(reasons(roll_up)) == 1
    assert len(reasons(roll_up, NOW + DAY)) == 1
    assert reasons(roll_up, NOW + DAY + 1) == {}


def split_of(one: str, other: str, at_bucket: int) -> GuidanceAction:
    at_ms = at_bucket * BUCKET_MS
    level, kind = "dissemination", "split_topics"
    return GuidanceAction("a", at_ms, f"topic:{one}", level, kind, split_from=other)


def test_what_an_operator_splits_stays_two_from_then_on() -> None:
    roll_up = roll_up_of("a one", "A ONE", "A-one")
    assert len(reasons(roll_up)) == 3
    roll_up.merges.split(split_of("A ONE", "a one", NOW + 2), ALWAYS)
    assert len(reasons(roll_up, NOW + 2)) == 3
    assert len(reasons(roll_up, NOW + 3)) == 2
    for one, other in (("a one", "A ONE"), ("A ONE", "a one")):
        others = roll_up.merges.others(f"topic:{one}")
        assert other not in [work.title for work in others], "not by way of a third name either"
    # Told again, and told late: it holds as it was told first.
    roll_up.merges.split(split_of("a one", "A ONE", NOW + 50), NOW + 60)
    assert len(reasons(roll_up, NOW + 4)) == 2


def test_a_split_that_comes_late_holds_from_the_looks_that_follow_it_in_the_log() -> None:
    roll_up = roll_up_of("a one", "A ONE")
    roll_up.merges.split(split_of("a one", "A ONE", NOW - 100), NOW)
    assert len(reasons(roll_up, NOW + 1)) == 1
    assert reasons(roll_up, NOW + 2) == {}


def test_a_restart_knows_what_was_split() -> None:
    roll_up = roll_up_of("a one", "A ONE")
    roll_up.merges.look(NOW)
    roll_up.merges.split(split_of("a one", "A ONE", NOW), ALWAYS)
    other = TopicMerges(Parameters(bucket_ms=BUCKET_MS), roll_up.works, roll_up.tracked)
    told = list(roll_up.merges.take_told())
    assert not list(roll_up.merges.take_told())
    for key, value in sorted([*roll_up.merges.rows(), *told]):
        other.load(key, value)
    assert len(other) == 1
    other.look(NOW + 1)
    assert len(other) == 0


def test_a_restart_finds_the_same_merges() -> None:
    roll_up = roll_up_of("A one", "a ONE", FILM, TYPO)
    for creator in range(20):
        put(roll_up, creator, [FILM, TYPO])
    roll_up.merges.look(NOW)
    other = TopicMerges(Parameters(bucket_ms=BUCKET_MS), roll_up.works, roll_up.tracked)
    for key, value in roll_up.merges.rows():
        other.load(key, value)
    assert list(other) == list(roll_up.merges)
    assert other.names == roll_up.merges.names
    assert other.also_known_as("topic:A one") == roll_up.merges.also_known_as("topic:A one")


def test_a_work_has_so_many_names_and_one_of_them_leads() -> None:
    roll_up = roll_up_of(*(f"{'!' * number}name" for number in range(MOST_NAMES + 3)))
    merges, by_id = roll_up.merges, roll_up.works.by_id
    merges.look(NOW)
    groups = {
        frozenset({name, *(work.work_id for work in merges.others(name))}) for name in merges.names
    }
    assert sorted(map(len, groups)) == [3, MOST_NAMES]
    assert sum(map(len, groups)) == len(merges.names)
    for group in groups:
        (leader,) = [name for name in group if merges.leads(by_id[name])]
        assert by_id[leader].row["first_ms"] == min(by_id[name].row["first_ms"] for name in group)


@given(found=st.integers(0, 60), more=st.integers(0, 60))
def test_what_speaks_for_a_merge_lets_it_stay(found: int, more: int) -> None:
    share = Share(found, found + more)
    if share.speaks_for:
        assert share.may_stay
        assert share.of >= LEAST_CREATORS
        assert found > more
    if not share.may_stay:
        assert found < more or share.of < LEAST_CREATORS


@given(
    uses=st.lists(
        st.tuples(st.integers(0, 25), st.sets(st.sampled_from([FILM, TYPO, STAR]), min_size=1)),
        max_size=80,
    ),
    data=st.data(),
)
def test_merges_do_not_depend_on_the_order_in_which_videos_came(
    uses: list[tuple[int, set[str]]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(uses))))
    found = []
    for numbers, topics in ((range(len(uses)), (FILM, TYPO, STAR)), (order, (STAR, TYPO, FILM))):
        roll_up = roll_up_of(*topics)
        for number in numbers:
            creator, names = uses[number]
            put(roll_up, creator, sorted(names))
        roll_up.merges.look(NOW)
        found.append([merge.figures() for merge in roll_up.merges])
    assert found[0] == found[1]
