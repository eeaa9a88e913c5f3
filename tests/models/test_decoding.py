"""The fast path against the authority: the same answers, however messages are mixed and chunked."""

import itertools
import json

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models import decoding
from models.decoding import decode, decode_slowly
from models.events import (
    COUNT_MAX,
    EARLIEST_MS,
    FIELDS,
    DecodingLimits,
    EventColumns,
    Reject,
    RejectReason,
)
from models.fast_decoding import FAST_ROWS_MIN
from models.steps import CREATE_TIME_MS, Chunk
from models.vocabulary import ACTIONS, ROLES

RECEIVED_MS = 1_800_000_000_000
LIMITS = DecodingLimits(max_ahead_ms=60_000, message_bytes_max=4_000)
GOOD = {"time": 1_700_000_000_000, "platform": "douyin", "video_id": "v", "action": "view"}

Rows = list[tuple[object, ...]]


def chunk_of(values: list[bytes | None], *, low: int = 0, append_ms: int = CREATE_TIME_MS) -> Chunk:
    count = len(values)
    return Chunk(
        low_offset=low,
        next_offset=low + count,
        offsets=list(range(low, low + count)),
        keys=[b"k%d" % at if at % 3 else None for at in range(low, low + count)],
        values=values,
        append_ms=[append_ms] * count,
    )


def rows_of(columns: EventColumns) -> Rows:
    """Return the events without their coding: one tuple each, profiles left out."""
    sources = dict(columns.sources)
    return [
        (
            int(columns.offset[at]),
            int(columns.time_ms[at]),
            columns.videos[columns.video[at]],
            int(columns.action[at]),
            int(columns.count[at]),
            columns.actors[columns.actor[at]] if columns.actor[at] >= 0 else None,
            int(columns.role[at]),
            columns.events[columns.event[at]] if columns.event[at] >= 0 else None,
            sources.get(at),
        )
        for at in range(len(columns))
    ]


def in_pieces(values: list[bytes | None], cuts: list[int]) -> tuple[Rows, list[Reject]]:
    """Decode piece by piece, as a consumer would happen to fetch them."""
    rows: Rows = []
    rejects: list[Reject] = []
    bounds = [0, *sorted(cut for cut in cuts if cut < len(values)), len(values)]
    for low, high in itertools.pairwise(bounds):
        columns, refused = decode(
            chunk_of(values[low:high], low=low), received_ms=RECEIVED_MS, limits=LIMITS
        )
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
        "sentiment": st.floats(-1, 1),
        "text": st.text(max_size=20),
        "topics": st.lists(st.sampled_from(["a", "b", "影"]), max_size=3),
        "source_video_id": st.sampled_from(["1", "s"]),
        "title": st.text(max_size=5),
        "retracts": st.sampled_from([action.value for action in ACTIONS]),
        "unknown": st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    }
    for name in draw(st.lists(st.sampled_from(list(optional)), max_size=4, unique=True)):
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
        for at in range(2 * FAST_ROWS_MIN)
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
            },
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        for at in range(2 * FAST_ROWS_MIN)
    ]
    dated = [
        json.dumps(GOOD | {"time": f"2023-08-30T12:{at % 60:02}:00.5+08:00"}).encode()
        for at in range(2 * FAST_ROWS_MIN)
    ]
    return [plain, wide, dated, [*plain[: FAST_ROWS_MIN + 9], *dated]]


PADDINGS = paddings()


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    padding=st.sampled_from(PADDINGS),
    strange=st.lists(st.tuples(st.integers(0, 400), MESSAGES), min_size=1, max_size=20),
    cuts=st.lists(st.integers(1, 300), max_size=2),
)
def test_any_mixture_in_any_chunks_is_what_the_slow_path_says(
    padding: list[bytes | None], strange: list[tuple[int, bytes | None]], cuts: list[int]
) -> None:
    values = list(padding)
    for at, value in strange:
        values.insert(at, value)
    columns, rejects = decode_slowly(chunk_of(values), received_ms=RECEIVED_MS, limits=LIMITS)
    assert in_pieces(values, cuts) == (rows_of(columns), rejects)
    seen = sorted([*columns.offset.tolist(), *(reject.offset for reject in rejects)])
    assert seen == list(range(len(values)))
    for reject in rejects:
        assert reject.value == values[reject.offset]
    whole, _ = decode(chunk_of(values), received_ms=RECEIVED_MS, limits=LIMITS)
    assert whole.profiles == columns.profiles


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("doubled", [False, True])
def test_every_literal_in_every_field(padding: list[bytes | None], doubled: bool) -> None:
    # A chunk for each literal: one that is malformed would hide what others do to the fast path.
    for literal in LITERALS:
        values = list(padding)
        for at, name in enumerate([*FIELDS, "x"]):
            rest = {key: value for key, value in GOOD.items() if doubled or key != name}
            line = f'{json.dumps(rest)[:-1]},"{name}":{literal}}}'
            values.insert(3 * at + 1, line.encode())
        columns, rejects = decode_slowly(chunk_of(values), received_ms=RECEIVED_MS, limits=LIMITS)
        assert in_pieces(values, []) == (rows_of(columns), rejects), literal


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=st.lists(json_like(), min_size=3, max_size=12))
@example(messages=[b'{"time":1700000000000,"platform":"p","video_id":5,"action":"view"}'])
@example(messages=[json.dumps(GOOD).encode()[:-1] + b',"video_id":"w"}'])
@example(messages=[json.dumps(GOOD).encode()[:-1] + b',"text":"\\\\ud83d\\ude00"}'])
def test_a_chunk_of_nothing_but_strange_messages(messages: list[bytes]) -> None:
    # Repeated, they are the majority, so that samples and columns follow them.
    values: list[bytes | None] = list(messages * (1 + 3 * FAST_ROWS_MIN // len(messages)))
    columns, rejects = decode_slowly(chunk_of(values), received_ms=RECEIVED_MS, limits=LIMITS)
    assert in_pieces(values, []) == (rows_of(columns), rejects)


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
    columns, rejects = decode(chunk_of(padding), received_ms=RECEIVED_MS, limits=LIMITS)
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
    columns, rejects = decode(chunk_of(values), received_ms=RECEIVED_MS, limits=LIMITS)
    assert [reject.offset for reject in rejects] == list(range(50, 2_000, 100))
    assert len(columns) == 1_980
    assert slow_calls == [bad] * 20


def test_numbers_that_polars_calls_malformed_leave_the_rest_to_the_fast_path(
    slow_calls: list[bytes | None],
) -> None:
    values = traffic(2_000)
    odd = json.dumps(GOOD).encode()[:-1] + b',"x":' + b"9" * 60 + b"}"
    values[50::100] = [odd] * 20
    columns, rejects = decode(chunk_of(values), received_ms=RECEIVED_MS, limits=LIMITS)
    assert (len(columns), rejects) == (2_000, [])
    assert slow_calls == [odd] * 20


def test_the_broker_s_time_bounds_event_times_where_there_is_one() -> None:
    values: list[bytes | None] = [
        json.dumps(GOOD | {"time": GOOD["time"] + ahead}).encode()  # type: ignore[operator] # an int
        for ahead in range(59_990, 60_011)
        for _ in range(10)
    ]
    chunk = chunk_of(values, append_ms=1_700_000_000_000)
    columns, rejects = decode(chunk, received_ms=RECEIVED_MS, limits=LIMITS)
    assert columns.offset.tolist() == list(range(110))
    assert {reject.reason for reject in rejects} == {RejectReason.TIME_TOO_FAR_AHEAD}
    columns, rejects = decode(chunk_of(values), received_ms=RECEIVED_MS, limits=LIMITS)
    assert (len(columns), rejects) == (210, [])


def test_profiles_go_with_the_first_event_per_video_and_list_of_topics() -> None:
    def tagged(video: str, *topics: str) -> bytes:
        return json.dumps(GOOD | {"video_id": video, "topics": topics}).encode()

    published = json.dumps(GOOD | {"video_id": "a", "action": "publish", "title": "t"}).encode()
    head: list[bytes | None] = [
        *[tagged("a", "x"), tagged("a", "x"), tagged("b", "x"), tagged("a", "x", "y")],
        *[published, published, tagged("a"), tagged("a", "y", "x")],
    ]
    values = head + [tagged("b", "x")] * (2 * FAST_ROWS_MIN)
    columns, _ = decode(chunk_of(values), received_ms=RECEIVED_MS, limits=LIMITS)
    assert columns.profiles == [
        (0, '{"topics":["x"]}'),
        (2, '{"topics":["x"]}'),
        (3, '{"topics":["x","y"]}'),
        (4, '{"title":"t"}'),
        (5, '{"title":"t"}'),
        (7, '{"topics":["y","x"]}'),
    ]


def test_an_empty_chunk_is_no_events() -> None:
    columns, rejects = decode(chunk_of([]), received_ms=RECEIVED_MS, limits=LIMITS)
    assert (len(columns), rejects, columns.videos, columns.profiles) == (0, [], [], [])


def test_polars_still_does_what_the_fast_path_is_built_around() -> None:
    """When this fails after an upgrade, read the docstring of models/fast_decoding.py again."""

    def cell(literal: str, kind: pl.DataType) -> object:
        line = f'{{"x":{literal}}}'.encode()
        return pl.read_ndjson(line, schema={"x": kind}, ignore_errors=True)["x"][0]

    closed = pl.Enum(["a", "b"])
    assert [cell('"a"', kind) for kind in (pl.Binary(), closed)] == [b"a", "a"]
    for literal in ("1", "1.5", "true", "null", "{}", '["a"]'):
        assert cell(literal, pl.Binary()) is None
        assert cell(literal, closed) is None
        assert cell(literal, pl.String()) is not None or literal == "null"
    assert str(cell("18446744073709551616", pl.Binary())).startswith("b'Static(")
    for literal in ('"1"', "1.0", "1e3", "true", "9223372036854775808", "[]"):
        assert cell(literal, pl.Int64()) is None
    for literal in ('"1"', "true"):
        assert cell(literal, pl.Float64()) is None
    assert cell('["a",1,null,["b"]]', pl.List(pl.Binary())).to_list() == [b"a", None, None, None]  # type: ignore[attr-defined] # a Series
    two = pl.read_ndjson(b'{"x":1,"x":2}\n\n{"x":3}', schema={"x": pl.Int64()})
    assert two["x"].to_list() == [1, 3]
    with pytest.raises(pl.exceptions.ComputeError):
        pl.read_ndjson(b'{"x":1}\n{"x"', schema={"x": pl.Int64()}, ignore_errors=True)
