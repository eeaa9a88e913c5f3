"""A record of participation against what a plain program would keep of the same rows."""

from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from deep_rows import STORY, Said, actor, deep_rows, take_in_all, taken_in
from hypothesis import given, settings
from hypothesis import strategies as st

from models import sketches
from models.participation import (
    PARTICIPATION,
    Deed,
    ParticipationFormatError,
    merge,
    pack,
    unpack,
)
from models.vocabulary import ACTIONS, ROLES, SIGNAL_OF_ACTION

UNITED = ("first_ms", "last_ms", "last_bucket", "untold", "entry_ms", "role_people", "people")
"""What merging with itself leaves as it is."""

Record = npt.NDArray[np.void]


def merged(*records: Record) -> Record:
    into = np.zeros(1, PARTICIPATION)
    for record in records:
        merge(into, record)
    return into


def words(record: Record) -> bytes:
    return record.tobytes()


def test_a_record_takes_four_kilobytes_at_the_most() -> None:
    assert PARTICIPATION.itemsize <= 4_096
    assert PARTICIPATION.itemsize % 8 == 0


@given(STORY)
@settings(deadline=None)
def test_counts_are_those_of_a_plain_loop(said: list[Said]) -> None:
    (record,) = taken_in(said)
    deeds = {
        "comment": Deed.SPEAK, "reply": Deed.SPEAK, "share": Deed.SPREAD, "derive": Deed.DERIVE
    }  # fmt: skip
    expected = np.zeros((len(ROLES), len(Deed)), np.int64)
    entry: dict[str, int] = {}
    people: dict[str, set[int]] = {}
    for one, row in zip(sorted(said, key=lambda s: s["after_ms"]), deep_rows(said), strict=True):
        count = one.get("count", 1)
        if one["action"] in deeds:
            expected[list(ROLES).index(one["role"]), deeds[one["action"]]] += count
        if count > 0 and one["action"] not in ("view", "publish"):
            entry[one["role"]] = min(entry.get(one["role"], 2**62), int(row["time_ms"]))
            people.setdefault(one["role"], set()).add(one["actor"])
    assert (record["deeds"] == expected).all()
    for number, role in enumerate(ROLES):
        assert record["entry_ms"][number] == entry.get(role, 0)
        registers = np.zeros(sketches.REGISTERS, np.uint8)
        for who in people.get(role, set()) - {0}:
            sketches.add(registers, np.uint64(who))
        assert (record["role_people"][number] == registers).all()
    done = [one for one in said if one.get("count", 1) > 0]
    watched = [o["watch_ms"] for o in done if o["action"] == "view" and "watch_ms" in o]
    assert (record["watches"], record["watch_ms"]) == (len(watched), sum(watched))
    led = sum(o.get("count", 1) for o in done if "via" in o and o["via"] != o["actor"])
    assert record["led"] == led
    assert record["located"] == sum(o.get("count", 1) for o in done if "region" in o)
    known = [o for o in done if o["actor"] and o["action"] != "view"]
    assert record["accounts"]["acts"] == len(known)


@given(STORY, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_rows_shows_only_where_it_must(said: list[Said], choices: Random) -> None:
    rows = deep_rows(said)
    order = list(range(len(said)))
    choices.shuffle(order)
    shuffled = np.zeros(1, PARTICIPATION)
    take_in_all(shuffled, rows[order])
    (first,), (other,) = taken_in(said), shuffled
    for name in (*UNITED, "deeds", "watch_ms", "led", "located"):
        assert name == "last_bucket" or (first[name] == other[name]).all(), name


@given(STORY, STORY, STORY)
@settings(deadline=None)
def test_merging_is_commutative_and_counts_are_associative(
    one: list[Said], two: list[Said], three: list[Said]
) -> None:
    a, b, c = taken_in(one), taken_in(two), taken_in(three)
    assert words(merged(a, b)) == words(merged(b, a))
    left, right = merged(merged(a, b), c), merged(a, merged(b, c))
    bounded = ("key_nodes", "regions", "accounts")
    for name in set(PARTICIPATION.names or ()) - set(bounded):
        assert left[name].tobytes() == right[name].tobytes(), name
    for name in ("acts", "ages", "followers"):
        assert (left["accounts"][name] == right["accounts"][name]).all()


@given(STORY, STORY)
@settings(deadline=None)
def test_unions_are_those_of_all_rows_and_idempotent(one: list[Said], two: list[Said]) -> None:
    a, b = taken_in(one), taken_in(two)
    both, together = merged(a, b), taken_in(one + two)
    for name in UNITED:
        assert (both[name] == together[name]).all(), name
    again = merged(both, both)
    for name in UNITED:
        assert (again[name] == both[name]).all(), name
    assert (again["dialogue"]["pairs"] == both["dialogue"]["pairs"]).all()
    assert again["dialogue"]["recent"].tobytes() == both["dialogue"]["recent"].tobytes()


@given(STORY)
@settings(deadline=None)
def test_packed_records_come_back_the_same(said: list[Said]) -> None:
    record = taken_in(said)
    packed = pack(record)
    assert words(unpack(packed)) == words(record)
    assert len(packed) <= PARTICIPATION.itemsize + 65


def test_a_record_of_little_packs_small_and_damage_is_noticed() -> None:
    record = taken_in([{"actor": actor(1), "comment": 1 << 32}])
    packed = pack(record)
    assert len(packed) < 300
    for damaged in (b"", packed[:-1], packed + b"\0", packed[:40], b"\x09" + packed[1:]):
        with pytest.raises(ParticipationFormatError):
            unpack(damaged)


def test_what_takes_something_back_lowers_counts_alone() -> None:
    said = {"actor": actor(3), "role": "expert", "comment": 5 << 32, "region": "江苏"}
    record = taken_in([said, {**said, "count": -1, "after_ms": 10}])
    (before,), (after,) = taken_in([said]), record
    assert after["deeds"].sum() == 0
    assert after["dialogue"]["comments"] == 0
    for name in ("people", "role_people", "entry_ms", "regions"):
        assert after[name].tobytes() == before[name].tobytes()


def test_every_action_has_its_place() -> None:
    for code, action in enumerate(ACTIONS):
        if action == "retract":
            continue
        (record,) = taken_in([{"action": str(action), "actor": actor(1)}])
        signal = SIGNAL_OF_ACTION[code]
        assert (record["entry_ms"].sum() > 0) == (signal >= 0)
        assert record["deeds"].sum() == (signal >= 2)
