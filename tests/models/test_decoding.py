"""The fast path against the authority: the same answers, however messages are mixed and chunked."""

import itertools
import json

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models import decoding, event_scanning, json_decimals, siphash, span_numbering
from models.decoding import decode, decode_slowly, warm_up
from models.details import AGE_DAYS_MAX, NO_NUMBER, TEXT_CHARACTERS_MAX
from models.events import (
    COUNT_MAX,
    EARLIEST_MS,
    FIELDS,
    DecodingLimits,
    EventColumns,
    Reject,
    RejectReason,
)
from models.identity import HashKeys
from models.packed_chunk import PackedChunk, packed
from models.steps import CREATE_TIME_MS, Chunk
from models.vocabulary import ACTIONS, ROLES

RECEIVED_MS = 1_800_000_000_000
LIMITS = DecodingLimits(max_ahead_ms=60_000, message_bytes_max=4_000)
KEYS_OF_HASHES = HashKeys.of(b"a key for tests!")
PADDING_ROWS = 40
GOOD = {"time": 1_700_000_000_000, "platform": "douyin", "video_id": "v", "action": "view"}

Rows = list[tuple[object, ...]]


def chunk_of(
    values: list[bytes | None], *, low: int = 0, append_ms: int = CREATE_TIME_MS
) -> PackedChunk:
    count = len(values)
    chunk = Chunk(
        low_offset=low,
        next_offset=low + count,
        offsets=list(range(low, low + count)),
        keys=[b"k%d" % at if at % 3 else None for at in range(low, low + count)],
        values=values,
        append_ms=[append_ms] * count,
    )
    return packed(chunk)


def fast(chunk: PackedChunk) -> tuple[EventColumns, list[Reject]]:
    return decode(chunk, received_ms=RECEIVED_MS, limits=LIMITS, keys=KEYS_OF_HASHES)


def slow(chunk: PackedChunk) -> tuple[EventColumns, list[Reject]]:
    return decode_slowly(chunk, received_ms=RECEIVED_MS, limits=LIMITS, keys=KEYS_OF_HASHES)


def rows_of(columns: EventColumns) -> Rows:
    """Return the events without their coding: one tuple each, profiles left out."""
    sources = dict(columns.sources)
    details = {row: tuple(map(repr, rest)) for row, *rest in named_details(columns)}
    comments = {row: rest for row, *rest in columns.comments}
    return [
        (
            int(columns.offset[at]),
            int(columns.time_ms[at]),
            columns.videos[columns.video[at]],
            int(columns.action[at]),
            int(columns.count[at]),
            int(columns.actor[at]),
            int(columns.role[at]),
            int(columns.event[at]),
            sources.get(at),
            details.pop(at, None),
            comments.pop(at, None),
        )
        for at in range(len(columns))
    ]


def named_details(columns: EventColumns) -> list[tuple[object, ...]]:
    """Return the details with the names of regions."""
    names = ["", *columns.regions]
    return [(row, names[region], *rest) for row, region, *rest in columns.details.tolist()]


def whole(columns: EventColumns) -> tuple[object, ...]:
    """Return everything in the columns, coding included, with the types of the arrays."""
    arrays = ("offset", "time_ms", "video", "action", "count", "actor", "role", "event")
    return (
        *(
            (name, array.dtype, array.tolist())
            for name in arrays
            for array in [getattr(columns, name)]
        ),
        columns.videos,
        columns.sources,
        columns.profiles,
        columns.details.dtype,
        [tuple(map(repr, detail)) for detail in columns.details.tolist()],
        columns.regions,
        columns.comments,
    )


def in_pieces(values: list[bytes | None], cuts: list[int]) -> tuple[Rows, list[Reject]]:
    """Decode piece by piece, as a consumer would happen to fetch them."""
    rows: Rows = []
    rejects: list[Reject] = []
    bounds = [0, *sorted(cut for cut in cuts if cut < len(values)), len(values)]
    for low, high in itertools.pairwise(bounds):
        columns, refused = fast(chunk_of(values[low:high], low=low))
        rows += rows_of(columns)
        rejects += refused
    return rows, rejects


# Every literal that JSON has, and some that it has not; strings that look like something else.
LITERALS = [
    *["1", "0", "-1", "-0", "1.0", "1.5", "1e3", "1E400", "01", "+1", ".5", "1.", "-"],
    *["9223372036854775807", "9223372036854775808", "18446744073709551616", "9" * 60],
    *["-9223372036854775808", "-9223372036854775809", "-18446744073709551616", "1e30", "1e-999"],
    *[
        "1" * 39,
        "9" * 39,
        "-" + "1" * 38,
        '["a",18446744073709551616]',
        '{"a":18446744073709551616}',
    ],
    *['"Static(1)"', '["Static(1)"]'],
    *["true", "false", "null", "NaN", "Infinity", "-Infinity", "tru", "undefined", ""],
    *["{}", "[]", '{"video_id":"x"}', '{"a":{"b":1}}', '["a"]', '["a",null]', "[1]", '[["x"]]'],
    *['"a"', '"1"', '"true"', '"null"', '"[]"', '""', '" "', "'a'", '"a', '"\\x"', '"\\"'],
    *['"\\ud800"', '"\\ud83d\\ude00"', '"\\ude00\\ud83d"', '"\\\\ud83d\\ude00"'],
    *['"\\u0000"', '"a\\u001fb"', '"\\"video_id\\":\\"x\\""', '"\\":"', '": "', '"a:b"'],
    *['"\t"', '"\x7f"', '"\u2028"', '"博物馆"', '"\ufeff"', '"İ"', '"ΑΣ"', '"\xa0x\x1c"'],
    *[
        '"view"',
        '"View"',
        '"publish"',
        '"retract"',
        '"derive"',
        '"like"',
        '"kol"',
        '"ordinary"',
    ],
    *['"2023-08-30T12:00:00Z"', '"2023-08-30T12:00:00.123456+08:00"', '"2023-02-29T12:00:00Z"'],
    *['"2023-08-30T12:00:60Z"', '"2023-08-30t12:00:00z"', '"2023-08-30T12:00:00"'],
    *['"2023-08-30T23:59:59-23:59"', '"1970-01-01T00:00:00Z"', '"2099-01-01T00:00:00Z"'],
    *["1700000000000", "1700000000", "946684800000", "946684799999", "1800000060001"],
    *["0.9999999", "1.0000000000000001", "-1", "1000000000000", "1000000000001"],
    *['["a","b"]', '["","b"]', '["a","b","a"]', '"ab"', '"zz"'],
]
KEYS = st.one_of(
    st.sampled_from(list(FIELDS)),
    st.sampled_from(
        ["unknown", "x", "", "ti\\u006de", "\\u0076ideo_id", "Time", "a b", "é", "\\ud800"]
    ),
)
GAPS = st.sampled_from(["", "", "", "", " ", "\t", "\r", "\n", "  "])


@st.composite
def json_like(draw: st.DrawFn) -> bytes:
    """Write an object by hand, field by field, so that anything may be wrong with it."""
    pairs = [(name, json.dumps(value)) for name, value in GOOD.items()]
    if draw(st.booleans()):
        del pairs[draw(st.integers(0, 3))]
    pairs += draw(st.lists(st.tuples(KEYS, st.sampled_from(LITERALS)), max_size=4))
    if draw(st.booleans()):
        pairs = draw(st.permutations(pairs))
    gap = draw(GAPS)
    text = ",".join(f'{gap}"{key}"{gap}:{gap}{literal}{gap}' for key, literal in pairs)
    return (draw(GAPS) + "{" + text + "}" + draw(GAPS)).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Cut, double or flip bytes of an object."""
    value = bytearray(draw(json_like()))
    at = draw(st.integers(0, len(value)))
    kind = draw(st.integers(0, 3))
    if kind == 0:
        del value[at:]
    elif kind == 1:
        value[at:at] = draw(st.binary(min_size=1, max_size=3))
    elif kind == 2:
        del value[at : at + 1]
    else:
        value *= 2
    return bytes(value)


@st.composite
def good(draw: st.DrawFn) -> bytes:
    """Write an event as platforms do."""
    fields: dict[str, object] = {
        "time": draw(st.integers(EARLIEST_MS, RECEIVED_MS + 60_000)),
        "platform": draw(st.sampled_from(["douyin", "Weibo", " bilibili "])),
        "video_id": draw(st.sampled_from(["1", "7273000000000000000", "true", "BV1", "[x]"])),
        "action": draw(st.sampled_from([action.value for action in ACTIONS])),
    }
    optional = {
        "count": st.integers(1, COUNT_MAX),
        "event_id": st.text("0123456789abcdef", max_size=4),
        "actor_id": st.text(max_size=4),
        "actor_role": st.sampled_from([role.value for role in ROLES]),
        "watch_ms": st.integers(0, 2**63 - 1),
        "sentiment": st.one_of(st.floats(-1, 1), st.floats(-1, 1, width=32), st.integers(-1, 1)),
        "text": st.text(max_size=20) | st.sampled_from(["好" * 279 + "😀x", "é" * 281]),
        "actor_region": st.sampled_from(["杭州", "UK", "", "r" * 256]),
        "actor_age_days": st.integers(0, 2**63 - 1) | st.integers(0, 9),
        "actor_followers": st.integers(0, 2**63 - 1),
        "via_actor_id": st.text(max_size=4),
        "comment_id": st.text("c12\n", max_size=3),
        "parent_id": st.text("c12", max_size=3),
        "topics": st.lists(st.sampled_from(["a", "b", "影"]), max_size=3),
        "source_video_id": st.sampled_from(["1", "s"]),
        "title": st.text(max_size=5),
        "retracts": st.sampled_from([action.value for action in ACTIONS]),
        "unknown": st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    }
    for name in draw(st.lists(st.sampled_from(list(optional)), max_size=8, unique=True)):
        fields[name] = draw(optional[name])
    compact = draw(st.booleans())
    return json.dumps(
        fields,
        ensure_ascii=draw(st.booleans()),
        separators=(",", ":") if compact else (", ", ": "),
    ).encode("utf-8", "replace")


MESSAGES = st.one_of(
    good(),
    json_like(),
    damaged(),
    st.none(),
    st.sampled_from([b"", b" ", b"x", b"[]", b"\xff", b"{}"]),
)


def paddings() -> list[list[bytes | None]]:
    """Return chunks of ordinary traffic, large enough for the fast path, of three dialects."""
    plain = [
        json.dumps(GOOD | {"video_id": str(at * at % 53), "watch_ms": at}).encode()
        for at in range(PADDING_ROWS)
    ]
    wide = [
        json.dumps(
            GOOD
            | {"count": 2, "actor_id": f"u{at}", "actor_role": "kol", "sentiment": 0.5, "x": at}
            | {
                "topics": ["a", f"t{at % 3}"],
                "text": "好看: yes",
                "unknown": "u",
                "event_id": f"{at}",
                "actor_region": f"r{at % 3}",
                "actor_age_days": at,
                "actor_followers": at,
                "via_actor_id": "v",
                "comment_id": f"c{at}",
                "parent_id": "p",
                "watch_ms": at,
            },
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        for at in range(PADDING_ROWS)
    ]
    dated = [
        json.dumps(GOOD | {"time": f"2023-08-30T12:{at % 60:02}:00.5+08:00"}).encode()
        for at in range(PADDING_ROWS)
    ]
    return [plain, wide, dated, [*plain[: PADDING_ROWS // 2], *dated]]


PADDINGS = paddings()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    padding=st.sampled_from(PADDINGS),
    strange=st.lists(st.tuples(st.integers(0, 2 * PADDING_ROWS), MESSAGES), min_size=1),
    cuts=st.lists(st.integers(1, 2 * PADDING_ROWS), max_size=2),
)
def test_any_mixture_in_any_chunks_is_what_the_slow_path_says(
    padding: list[bytes | None], strange: list[tuple[int, bytes | None]], cuts: list[int]
) -> None:
    values = list(padding)
    for at, value in strange:
        values.insert(at, value)
    columns, rejects = slow(chunk_of(values))
    assert in_pieces(values, cuts) == (rows_of(columns), rejects)
    seen = sorted([*columns.offset.tolist(), *(reject.offset for reject in rejects)])
    assert seen == list(range(len(values)))
    for reject in rejects:
        assert reject.value == values[reject.offset]
    together, _ = fast(chunk_of(values))
    assert whole(together) == whole(columns)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=st.lists(MESSAGES, min_size=1, max_size=12))
@example(messages=[b'{"time":1700000000000,"platform":"p","video_id":5,"action":"view"}'])
@example(messages=[json.dumps(GOOD).encode()[:-1] + b',"video_id":"w"}'])
@example(messages=[json.dumps(GOOD).encode()[:-1] + b',"text":"\\\\ud83d\\ude00"}'])
def test_a_chunk_of_nothing_but_strange_messages(messages: list[bytes | None]) -> None:
    columns, rejects = slow(chunk_of(messages))
    together, refused = fast(chunk_of(messages))
    assert (whole(together), refused) == (whole(columns), rejects)


@pytest.mark.parametrize("doubled", [False, True])
def test_every_literal_in_every_field(doubled: bool) -> None:
    values: list[bytes | None] = []
    for literal in LITERALS:
        for name in [*FIELDS, "x"]:
            rest = {key: value for key, value in GOOD.items() if doubled or key != name}
            values.append(f'{json.dumps(rest)[:-1]},"{name}":{literal}}}'.encode())
    columns, rejects = slow(chunk_of(values))
    together, refused = fast(chunk_of(values))
    assert rows_of(together) == rows_of(columns)
    assert refused == rejects
    assert whole(together) == whole(columns)


@pytest.mark.parametrize("value", [row for padding in PADDINGS for row in padding[:1]])
def test_every_byte_changed_to_every_other(value: bytes) -> None:
    # All messages one change away from a good one: the likeliest to be taken for good.
    values: list[bytes | None] = []
    for at in range(len(value)):
        values += [
            value[:at],
            value[:at] + value[at + 1 :],
            value[:at] + value[at:][:1] + value[at:],
        ]
        values += [value[:at] + bytes([byte]) + value[at + 1 :] for byte in range(256)]
        values += [value[:at] + bytes([byte]) + value[at:] for byte in b'"\\{}[],:0 -.\n\xe5']
    columns, rejects = slow(chunk_of(values))
    together, refused = fast(chunk_of(values))
    assert len(rejects) > len(values) // 4
    assert refused == rejects
    assert whole(together) == whole(columns)


@settings(max_examples=300, deadline=None)
@given(
    numbers=st.lists(
        st.floats(-1, 1).map(repr)
        | st.from_regex(r"-?(0|1|0\.[0-9]{1,40}|1\.0{1,30})", fullmatch=True)
        | st.from_regex(r"-?[0-9](\.[0-9]{1,20})?[eE]-[0-9]{1,3}", fullmatch=True)
        # Halfway between two neighbours of float32, and a little beside it.
        | st.builds(
            lambda at, beside: repr(at / 2**26 + beside * 2.0**-52),
            st.integers(2**25, 2**26),
            st.integers(-3, 3),
        ),
        min_size=1,
    )
)
def test_sentiments_are_what_python_reads_rounded_once_more(numbers: list[str]) -> None:
    kept = [text for text in numbers if abs(float(text)) <= 1]
    rest = json.dumps(GOOD)[:-1]
    values: list[bytes | None] = [f'{rest},"sentiment":{text}}}'.encode() for text in kept]
    columns, rejects = fast(chunk_of(values))
    assert rejects == []
    expected = np.array([float(text) for text in kept], np.float32) + np.float32(0)
    assert columns.details["sentiment"].tobytes() == expected.tobytes()


def test_every_detail_by_hand() -> None:
    said = {
        "actor_id": "u",
        "actor_region": "杭州",
        "actor_age_days": 2**40,
        "actor_followers": 5,
        "via_actor_id": "u",
        "comment_id": "c2",
        "parent_id": "c1",
        "text": "好看😀 \n" * 280,
        "sentiment": -0.25,
        "watch_ms": 0,
    }
    empty = dict.fromkeys(said, "") | {name: None for name in said if name[-1] in "st"}
    values: list[bytes | None] = [
        json.dumps(GOOD | fields, ensure_ascii=False).encode()
        for fields in (
            GOOD,
            said,
            empty,
            {"text": "only"},
            {"comment_id": "c1"},
            {"actor_region": "UK", "action": "publish"},
        )
    ]
    for columns, _ in (fast(chunk_of(values)), slow(chunk_of(values))):
        first, second, third = columns.details
        assert columns.details["row"].tolist() == [1, 4, 5]
        assert columns.regions == ["杭州", "UK"]
        assert columns.details["region"].tolist() == [1, 0, 2]
        assert first["via"] == columns.actor[1] != 0
        assert first["parent"] == second["comment"] != 0
        assert first["comment"] != first["parent"]
        assert first["age_days"] == AGE_DAYS_MAX
        assert (first["followers"], first["watch_ms"], first["sentiment"]) == (5, 0, -0.25)
        for name in ("age_days", "followers", "watch_ms"):
            assert second[name] == third[name] == NO_NUMBER
        assert np.isnan(second["sentiment"])
        assert second["via"] == second["parent"] == 0
        text = str(said["text"])[:TEXT_CHARACTERS_MAX]
        assert columns.comments == [(1, "c2", text), (3, "", "only")]


def traffic(count: int) -> list[bytes | None]:
    return [
        json.dumps(GOOD | {"video_id": str(at % 97), "actor_id": f"u{at % 31}"}).encode()
        for at in range(count)
    ]


@pytest.fixture
def slow_calls(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """Record, without changing it, what the slow path is asked."""
    asked: list[bytes | None] = []
    validate = decoding.validate

    def recording(value: bytes | None, **arguments: object) -> object:
        asked.append(value)
        return validate(value, **arguments)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(decoding, "validate", recording)
    return asked


@pytest.mark.parametrize("padding", PADDINGS[:3])
def test_ordinary_traffic_never_takes_the_slow_path(
    padding: list[bytes | None], slow_calls: list[bytes | None]
) -> None:
    columns, rejects = fast(chunk_of(padding))
    assert (len(columns), rejects, slow_calls) == (len(padding), [], [])


GARBAGE: list[bytes | None] = [
    *[
        None,
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"[]",
        b'{"time":17',
        b'{"a":NaN}',
        b"{'a':1}",
        b"{}",
    ],
    b'{"time":1700000000000,"platform":"p","video_id":5,"action":"view"}',
    b'{"time":1700000000000,"platform":"p","video_id":"5","action":"applaud"}',
    b'{"time":1700000000000,"platform":"p","video_id":"5","action":"view","count":0}',
    b'{"time":1700000000000 "platform":"p"}',
]


@pytest.mark.parametrize("bad", GARBAGE)
def test_only_the_bad_lines_take_the_slow_path(
    bad: bytes | None, slow_calls: list[bytes | None]
) -> None:
    values = traffic(2_000)
    values[50::100] = [bad] * 20
    columns, rejects = fast(chunk_of(values))
    assert [reject.offset for reject in rejects] == list(range(50, 2_000, 100))
    assert len(columns) == 1_980
    assert slow_calls == [bad] * 20


def test_the_broker_s_time_bounds_event_times_where_there_is_one() -> None:
    values: list[bytes | None] = [
        json.dumps(GOOD | {"time": GOOD["time"] + ahead}).encode()  # type: ignore[operator] # an int
        for ahead in range(59_990, 60_011)
        for _ in range(10)
    ]
    chunk = chunk_of(values, append_ms=1_700_000_000_000)
    columns, rejects = fast(chunk)
    assert columns.offset.tolist() == list(range(110))
    assert {reject.reason for reject in rejects} == {RejectReason.TIME_TOO_FAR_AHEAD}
    columns, rejects = fast(chunk_of(values))
    assert (len(columns), rejects) == (210, [])


def test_profiles_go_with_the_first_event_per_video_and_list_of_topics() -> None:
    def tagged(video: str, *topics: str) -> bytes:
        return json.dumps(GOOD | {"video_id": video, "topics": topics}).encode()

    published = json.dumps(GOOD | {"video_id": "a", "action": "publish", "title": "t"}).encode()
    head: list[bytes | None] = [
        *[tagged("a", "x"), tagged("a", "x"), tagged("b", "x"), tagged("a", "x", "y")],
        *[published, published, tagged("a"), tagged("a", "y", "x")],
    ]
    values = head + [tagged("b", "x")] * (PADDING_ROWS)
    columns, _ = fast(chunk_of(values))
    assert columns.profiles == [
        (0, '{"topics":["x"]}'),
        (2, '{"topics":["x"]}'),
        (3, '{"topics":["x","y"]}'),
        (4, '{"title":"t"}'),
        (5, '{"title":"t"}'),
        (7, '{"topics":["y","x"]}'),
    ]


def test_an_empty_chunk_is_no_events() -> None:
    columns, rejects = fast(chunk_of([]))
    assert (len(columns), rejects, columns.videos, columns.profiles) == (0, [], [], [])


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_each_loop_is_compiled_for_one_kind_of_arguments() -> None:
    # Another kind (a read-only or strided array) would stop the stream for seconds to compile.
    warm_up()
    loops = [event_scanning._scan, siphash._absorb, siphash.hash_spans, span_numbering._number]  # noqa: SLF001 - what is compiled is private
    loops.append(json_decimals._decimals)  # noqa: SLF001 - too
    before = [loop.signatures for loop in loops]  # type: ignore[attr-defined] # numba's own
    assert [len(signatures) for signatures in before] == [1] * len(loops)
    values = [*PADDINGS[1], *traffic(9), *GARBAGE]
    for chunk in (chunk_of(values), chunk_of([]), chunk_of([None]), chunk_of(values[:1])):
        fast(chunk)
        slow(chunk)
        fast(chunk.after(3))
    assert [loop.signatures for loop in loops] == before  # type: ignore[attr-defined] # numba's own
