"""Conversations against a plain loop that remembers every comment."""

from typing import Any

from deep_rows import START_MS, actor, taken_in
from hypothesis import given, settings
from hypothesis import strategies as st

from models.dialogue import RECENT
from models.participation import merge
from models.sketches import estimate

TALK = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.integers(0, 5),
        st.sampled_from(["ordinary", "ordinary", "creator", "brand"]),
    ),
    max_size=RECENT,
)
"""Of each comment: how many before it the one stands that it answers (0: it answers none), who
writes (0: not known), as what."""


def told(talk: list[tuple[int, int, str]]) -> list[dict[str, Any]]:
    return [
        {
            "after_ms": 7_000 * number,
            "actor": actor(900 * who) << 6 if who else 0,
            "role": role,
            "comment": number + 1 << 32,
            "parent": max(number + 1 - back, 0) << 32 if back else 0,
        }
        for number, (back, who, role) in enumerate(talk)
    ]


@given(TALK)
@settings(deadline=None)
def test_while_all_is_remembered_figures_are_exact(talk: list[tuple[int, int, str]]) -> None:
    (dialogue,) = taken_in(told(talk))["dialogue"][0]
    depth: dict[int, int] = {}
    pairs, answered, delay = set[frozenset[int]](), set[int](), 0
    placed = exchanges = answers = 0
    for number, (back, who, role) in enumerate(talk):
        parent = number - back
        depth[number] = 0
        if back and parent >= 0:
            placed += 1
            depth[number] = depth[parent] + 1
            _, other, other_role = talk[parent]
            if who and other and who != other:
                exchanges += 1
                pairs.add(frozenset({who, other}))
            hosts = (role != "ordinary", other_role != "ordinary")
            if hosts == (True, False) and parent not in answered:
                answered.add(parent)
                delay += 7 * back
        is_reply = bool(back) and number + 1 - back > 0
        answers += is_reply and role != "ordinary"
    replies = sum(bool(back) and number + 1 - back > 0 for number, (back, _, _) in enumerate(talk))
    assert dialogue["replies"] == replies == placed
    assert dialogue["comments"] == len(talk) - replies
    assert dialogue["placed"] == placed
    assert dialogue["depth_sum"] == sum(depth.values())
    assert dialogue["deepest"] == max(depth.values(), default=0)
    assert dialogue["exchanges"] == exchanges
    assert round(estimate(dialogue["pairs"])) == len(pairs)
    assert dialogue["answerable"] == sum(role == "ordinary" for _, _, role in talk)
    assert dialogue["answers"] == answers
    assert (dialogue["answered"], dialogue["answer_delay_s"]) == (len(answered), delay)


def test_a_thread_that_goes_on_is_remembered_and_others_give_way() -> None:
    talk = [{"comment": 1 << 32, "actor": actor(1) << 6}]
    for number in range(2, 4 * RECENT):
        parent = {"parent": 1 << 32} if number % 8 == 0 else {}
        talk.append({"comment": number << 32, "actor": actor(number) << 6, **parent})
    said = [{**one, "after_ms": 1_000 * at} for at, one in enumerate(talk)]
    (dialogue,) = taken_in(said)["dialogue"][0]
    assert dialogue["placed"] == dialogue["replies"] == 4 * RECENT // 8 - 1
    keys = set(dialogue["recent"]["key"].tolist())
    assert 1 in keys
    assert 2 not in keys


def test_what_has_been_forgotten_is_not_placed() -> None:
    talk = [{"comment": number << 32} for number in range(1, 2 * RECENT)]
    talk.append({"comment": 999 << 32, "parent": 1 << 32})
    said = [{**one, "after_ms": 1_000 * at} for at, one in enumerate(talk)]
    (dialogue,) = taken_in(said)["dialogue"][0]
    assert (dialogue["replies"], dialogue["placed"], dialogue["deepest"]) == (1, 0, 1)


def test_of_one_comment_told_twice_the_first_writing_stays_whichever_is_merged_first() -> None:
    early, late = (
        taken_in([{"after_ms": at_ms, "comment": 1 << 32, "actor": 7 << 40}])
        for at_ms in (0, 60_000)
    )
    for one, other in ((early, late), (late, early)):
        both = one.copy()
        merge(both, other)
        remembered = both["dialogue"][0]["recent"][0]
        assert remembered["second"][0] == START_MS // 1_000
        assert remembered["touched"][0] == START_MS // 1_000 + 60
