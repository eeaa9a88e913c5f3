"""The pure step of intake: what one chunk becomes on the partitions of `engagement-batches`."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.batch_header import NO_TIME_MS, BatchKind
from models.batches import Batch, decode_batch
from models.events import END_MARK_KEY, DecodingLimits, RejectReason
from models.identity import HashKeys, SipKey, partition_of
from models.intake import Intake, IntakeOutput
from models.packed_chunk import packed
from models.siphash import hash_texts
from models.steps import CREATE_TIME_MS, Chunk
from models.vocabulary import ACTION_CODE

KEY = b"a key for tests!"
RECEIVED_MS = 1_800_000_000_000
START_MS = 1_700_000_000_000
END = object()
MANY = 40


def chunk_of(messages: list[object], *, low: int = 0) -> Chunk:
    """Make a chunk of dicts (events), bytes as they are, and END."""
    values = [
        None if message is END else message if isinstance(message, bytes) else encoded(message)
        for message in messages
    ]
    return Chunk(
        low_offset=low,
        next_offset=low + len(messages),
        offsets=list(range(low, low + len(messages))),
        keys=[END_MARK_KEY if message is END else None for message in messages],
        values=values,
        append_ms=[CREATE_TIME_MS] * len(messages),
    )


def encoded(fields: object) -> bytes:
    return json.dumps(fields).encode()


def event(
    video: str = "v", action: str = "view", at: int = 0, **fields: object
) -> dict[str, object]:
    return {
        "time": START_MS + at,
        "platform": "douyin",
        "video_id": video,
        "action": action,
    } | fields


def hash_of(name: str, key: SipKey) -> int:
    return int(hash_texts(key, [f"douyin\x1f{name}"])[0])


def process(chunk: Chunk, partitions: int = 3) -> IntakeOutput:
    intake = Intake(partitions, KEY, DecodingLimits())
    return intake.process(chunk, source=1, sources=2, received_ms=RECEIVED_MS)


def batches_of(output: IntakeOutput) -> list[list[Batch]]:
    return [[decode_batch(message) for message in messages] for messages in output.batches]


def rows_of(batches: list[list[Batch]]) -> list[tuple[object, ...]]:
    """Return all rows by source offset, and of one offset `publish` before `derive`."""
    rows = []
    for target, messages in enumerate(batches):
        for batch in messages:
            profiles = dict(batch.profiles)
            said = said_of(batch)
            for at in range(len(batch)):
                video = batch.videos[batch.video[at]]
                assert partition_of(video, len(batches)) == target
                rows.append(
                    (
                        int(batch.offset[at]),
                        int(batch.action[at]),
                        video,
                        int(batch.time_ms[at]),
                        int(batch.high_ms[at]),
                        int(batch.count[at]),
                        int(batch.actor[at]),
                        int(batch.role[at]),
                        int(batch.event[at]),
                        profiles.get(at),
                        *said.get(at, (None, None)),
                    )
                )
    return sorted(rows, key=lambda row: row[:2])


def said_of(batch: Batch) -> dict[int, tuple[object, object]]:
    """Return the detail, with the name of its region, and the comment of each row that has one."""
    names = ["", *batch.regions]
    details = {
        row: (names[region], *map(repr, rest)) for row, region, *rest in batch.details.tolist()
    }
    comments = {row: rest for row, *rest in batch.comments}
    return {at: (details.get(at), comments.get(at)) for at in {**details, **comments}}


def test_an_event_becomes_a_row_on_the_partition_of_its_video() -> None:
    message = event("w", "like", 7, actor_id="u", actor_role="kol", event_id="e", count=3)
    output = process(chunk_of([message], low=40))
    at = START_MS + 7
    identity = (hash_of("u", HashKeys.of(KEY).actor), 2, hash_of("e", HashKeys.of(KEY).event))
    assert rows_of(batches_of(output)) == [
        (40, ACTION_CODE["like"], "douyin\x1fw", at, at, 3, *identity, None, None, None)
    ]
    assert (output.events, output.rejects) == (1, [])


def test_every_partition_hears_how_far_the_source_has_come() -> None:
    chunk = replace(chunk_of([event(at=5), event(at=9), event(at=1)], low=10), next_offset=20)
    for (batch,) in batches_of(process(chunk)):
        header = batch.header
        assert (header.kind, header.source, header.sources) == (BatchKind.EVENTS, 1, 2)
        assert (header.low, header.high, header.high_ms) == (9, 19, START_MS + 9)
        assert (header.idle, header.received_ms) == (False, RECEIVED_MS)
    # Aborted or compacted away: no message, and yet the position moves on.
    for (batch,) in batches_of(process(replace(chunk_of([], low=10), next_offset=15))):
        assert (batch.header.low, batch.header.high, len(batch)) == (9, 14, 0)
        assert batch.header.high_ms == NO_TIME_MS


def test_a_chunk_of_rejects_has_no_time() -> None:
    output = process(chunk_of([b"junk", event(at=-(10**12))]))
    assert [reject.reason for reject in output.rejects] == [
        RejectReason.NOT_JSON,
        RejectReason.TIME_TOO_EARLY,
    ]
    assert {batch.header.high_ms for (batch,) in batches_of(output)} == {NO_TIME_MS}


def test_a_derivation_publishes_one_video_and_diffuses_another() -> None:
    derived = event(
        "new", "derive", 5, source_video_id="old", source_platform="weibo", event_id="e", title="t"
    )
    output = process(chunk_of([event("old"), derived, event("new", at=3)]))
    rows = rows_of(batches_of(output))
    assert [(row[0], row[1], row[2], row[3], row[9]) for row in rows] == [
        (0, ACTION_CODE["view"], "douyin\x1fold", START_MS, None),
        (
            *(1, ACTION_CODE["publish"], "douyin\x1fnew", START_MS + 5),
            '{"title":"t","source":"weibo\\u001fold"}',
        ),
        (1, ACTION_CODE["derive"], "weibo\x1fold", START_MS + 5, None),
        (2, ACTION_CODE["view"], "douyin\x1fnew", START_MS + 3, None),
    ]
    assert output.events == 3
    first, second = rows[1][8], rows[2][8]
    assert first == hash_of("e", HashKeys.of(KEY).event)
    assert 0 != second != first


def test_both_rows_of_a_derivation_have_the_details_and_the_new_video_has_the_text() -> None:
    said = {"actor_region": "UK", "via_actor_id": "u", "actor_followers": 5, "text": "mine"}
    derived = event("new", "derive", 5, source_video_id="old", **said)
    messages: list[object] = [
        event("old", watch_ms=1),
        derived,
        event("old"),
        derived,
        event("new", watch_ms=2),
    ]
    (batch,) = batches_of(process(chunk_of(messages), 1))[0]
    assert batch.offset.tolist() == [0, 1, 1, 2, 3, 3, 4]
    assert batch.details["row"].tolist() == [0, 1, 2, 4, 5, 6]
    assert batch.details["watch_ms"].tolist() == [1, -1, -1, -1, -1, 2]
    assert batch.details["followers"].tolist() == [-1, 5, 5, 5, 5, -1]
    assert batch.details["via"][1:5].tolist() == [hash_of("u", HashKeys.of(KEY).actor)] * 4
    assert (batch.regions, batch.details["region"].tolist()) == (["UK"], [0, 1, 1, 1, 1, 0])
    assert batch.comments == [(1, "", "mine"), (4, "", "mine")]


def test_end_marks_split_the_chunk() -> None:
    output = process(chunk_of([event(), END, event(at=1), b"junk", END, END], low=5))
    for messages in batches_of(output):
        assert [
            (each.header.kind.value, each.header.low, each.header.high) for each in messages
        ] == [
            ("events", 4, 5),
            ("end", 5, 6),
            ("events", 6, 8),
            ("end", 8, 9),
            ("end", 9, 10),
        ]
    assert (output.events, len(output.rejects), output.rejects[0].offset) == (2, 1, 8)
    (only,) = batches_of(process(chunk_of([END], low=5), partitions=1))[0]
    assert (only.header.kind, only.header.low, only.header.high) == (BatchKind.END, 4, 5)
    beyond = replace(chunk_of([END], low=5), next_offset=9)
    assert [b.header.high for b in batches_of(process(beyond, partitions=1))[0]] == [5, 8]


def test_a_tombstone_with_another_key_is_rejected() -> None:
    chunk = replace(chunk_of([END]), keys=[b"other"])
    assert [reject.reason for reject in process(chunk).rejects] == [RejectReason.TOMBSTONE]


SAID: dict[str, st.SearchStrategy[object]] = {
    "actor_region": st.sampled_from(["", "杭州", "UK"]),
    "actor_age_days": st.none() | st.integers(0, 9),
    "via_actor_id": st.sampled_from(["", "u"]),
    "comment_id": st.sampled_from(["", "c"]),
    "text": st.sampled_from(["", "好", "\n"]),
    "sentiment": st.none() | st.floats(-1, 1),
}
EVENTS = st.builds(
    event,
    video=st.sampled_from("abcdefgh"),
    action=st.sampled_from(["view", "like", "publish"]),
    at=st.integers(0, 50),
    actor_id=st.sampled_from(["", "u", "w"]),
    event_id=st.sampled_from(["", "1", "2"]),
    **SAID,
)
DERIVATIONS = st.builds(
    event,
    video=st.sampled_from("abcd"),
    action=st.just("derive"),
    at=st.integers(0, 50),
    source_video_id=st.sampled_from("efghij"),
    title=st.sampled_from(["", "t"]),
    **SAID,
)


@settings(max_examples=150, deadline=None)
@given(
    messages=st.lists(EVENTS | DERIVATIONS | st.sampled_from([b"junk", END]), max_size=30),
    padding=st.sampled_from([0, MANY]),
    cut=st.integers(0, 40),
    partitions=st.integers(1, 5),
)
def test_rows_and_times_do_not_depend_on_chunks(
    messages: list[object], padding: int, cut: int, partitions: int
) -> None:
    messages = [event(str(at)) for at in range(padding)] + messages
    whole = chunk_of(messages)
    output = process(whole, partitions)
    rows = rows_of(batches_of(output))
    in_two = [
        process(chunk_of(messages[:cut]), partitions),
        process(whole.after(min(cut, len(messages))), partitions),
    ]
    parts = [row for part in in_two for row in rows_of(batches_of(part))]
    without_high = [row[:4] + row[5:] for row in rows]
    assert without_high == [row[:4] + row[5:] for row in parts]
    assert output.rejects == [reject for part in in_two for reject in part.rejects]
    derivations = sum(
        isinstance(message, dict) and message["action"] == "derive" for message in messages
    )
    assert len(rows) == output.events + derivations
    assert output.events + len(output.rejects) + messages.count(END) == len(messages)


@given(messages=st.lists(EVENTS | st.just(b"junk"), max_size=30))
def test_high_ms_is_the_running_maximum_over_all_partitions(messages: list[object]) -> None:
    batches = batches_of(process(chunk_of(messages)))
    rows = rows_of(batches)
    times = np.array([row[3] for row in rows], np.int64)
    assert [row[4] for row in rows] == np.maximum.accumulate(times).tolist()
    expected = int(times.max()) if rows else NO_TIME_MS
    assert {batch.header.high_ms for (batch,) in batches} == {expected}


def test_one_wrong_clock_does_not_move_where_a_source_stands() -> None:
    messages: list[object] = [event(at=at) for at in range(MANY)]
    astray = [event(at=2**33), *messages]
    assert abs(process(chunk_of(astray)).middle_ms - process(chunk_of(messages)).middle_ms) <= 1
    assert process(chunk_of([b"junk", END])).middle_ms == NO_TIME_MS


def test_a_packed_chunk_gives_what_a_chunk_gives() -> None:
    whole = chunk_of([event("a"), END, b"junk", event("b", "derive", source_video_id="c")])
    intake = Intake(3, KEY, DecodingLimits())
    one, other = (
        intake.process(chunk, source=1, sources=2, received_ms=RECEIVED_MS)
        for chunk in (whole, packed(whole))
    )
    assert one == other


def test_no_raw_id_of_the_audience_travels_on() -> None:
    raw_id = "someone-in-particular"
    messages = [
        event(actor_id=raw_id, via_actor_id=raw_id, event_id=raw_id, text="t", topics=["t"]),
        event("w", "publish", actor_id=raw_id, title="t", parent_id=raw_id),
        event("x", "derive", actor_id=raw_id, source_video_id="w"),
    ]
    output = process(chunk_of(messages * MANY))
    assert output.events == 3 * MANY
    assert not any(
        raw_id.encode() in message for messages in output.batches for message in messages
    )


def test_unfit_arguments_are_refused_and_the_key_is_not_shown() -> None:
    with pytest.raises(ValueError, match="0 partitions"):
        Intake(0, KEY)
    with pytest.raises(ValueError, match="needs 16 to 64"):
        Intake(1, b"short")
    assert KEY.decode() not in repr(Intake(1, KEY))
