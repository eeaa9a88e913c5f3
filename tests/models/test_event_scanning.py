"""Which messages are read in one pass; that they are read rightly is told in test_decoding.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.event_scanning import ABSENT, Scan, scan
from models.events import COUNT_MAX, DecodingLimits
from models.json_syntax import LEVELS_MAX
from models.packed_chunk import NULL_LENGTH, PackedChunk, packed
from models.platform_spellings import SPELLINGS_MAX
from models.steps import CREATE_TIME_MS, Chunk
from models.validation import normal_platform
from models.vocabulary import ACTION_CODE, ROLE_CODE

LIMITS = DecodingLimits(max_ahead_ms=60_000, message_bytes_max=4_000)
TIME_MS = 1_700_000_000_000
GOOD: dict[str, object] = {
    "time": TIME_MS,
    "platform": "douyin",
    "video_id": "v",
    "action": "view",
}


def scanned(*values: bytes | None, append_ms: int = CREATE_TIME_MS) -> Scan:
    count = len(values)
    offsets = list(range(count))
    chunk = Chunk(0, count, offsets, [None] * count, list(values), [append_ms] * count)
    return scan(packed(chunk), received_ms=TIME_MS, limits=LIMITS)


def event(*, without: str = "", **fields: object) -> bytes:
    whole = {name: value for name, value in (GOOD | fields).items() if name != without}
    return json.dumps(whole, ensure_ascii=False).encode()


CERTAIN = [
    event(),
    event(time="2023-11-14T22:13:20.5Z"),
    event(time="2023-11-15 06:13:20+08:00"),
    event(count=COUNT_MAX, actor_id="u", event_id="e", actor_role="kol", sentiment=-0.25),
    event(count=None, actor_id=None, event_id=None, actor_role=None, sentiment=None, topics=None),
    event(actor_id="", event_id="", actor_role="", text="", topics=[]),
    event(text='好看 😀 "quoted" \\ \n', actor_region="中国", comment_id="c", parent_id="é"),
    json.dumps(GOOD | {"text": "好看 😀", "topics": ["博物馆", "b"]}).encode(),
    event(x=1, y=[1, {"z": None}], ip="1.2.3.4", ok=True, no=False, f=-1.5e300, o={}),
    event(x=1).replace(b'"x": 1', b'"x": 1, "x": {"x": 2}'),
    json.dumps(GOOD, indent=2).replace("\n", "\r\n").encode() + b" \t\r\n",
    event(action="retract", retracts="like", count=2),
    event(retracts="publish"),
    event(title="t", creator_id="c", creator_followers=1, labels=["a"], vertical="x", mcn="m"),
    event(duration_ms=1, source_comment_id="c", actor_age_days=0, actor_followers=10**17),
    event(platform=" DouYin "),
    event(platform="抖音", video_id="视频"),
    event(platform="ニコニコ動画"),
    event(platform="카카오"),
    *[event(sentiment=number) for number in (0, 1, -1, 0.5, -0.999, 1e-05, -2.5e-3)],
    event(x=None).replace(b"null", b"[" * (LEVELS_MAX - 1) + b"]" * (LEVELS_MAX - 1)),
    event(video_id="v" * 256, actor_id="u" * 256, topics=["t" * 256, *["t"] * 63]),
]
NOT_CERTAIN = [
    None,
    b"",
    b"{}",
    b"[]",
    b"\xef\xbb\xbf" + event(),
    event() + b"x",
    event()[:-1],
    *[event(without=name) for name in GOOD],
    *[event(**{name: None}) for name in GOOD],
    *[event(**{name: ""}) for name in GOOD],
    *[event(action=action) for action in ("publish", "derive", "retract", "View", "applaud")],
    event(action="retract", retracts="view"),
    event(time=TIME_MS + 60_001),
    event(time=0),
    event(count=0),
    event(count=COUNT_MAX + 1),
    event(count=-1),
    event(count=True),
    event(actor_role="king"),
    event(actor_followers=-1),
    event(actor_followers=10**18),
    event(actor_region="r" * 257),
    event(topics=["t"] * 65),
    event(topics=["t" * 257]),
    event(topics=["t", None]),
    event(topics="t"),
    event(topics=["t"], title="t"),
    event(text=["t"]),
    event(fingerprint="00"),
    event(source_video_id="s"),
    event(sentiment=1.5),
    event(platform="İstanbul"),
    event(platform="\u3000微博"),
    event(platform=" "),
    event(text="\ud800".encode("utf-8", "surrogatepass").decode("latin-1")).replace(
        b"\xc3", b"\xed"
    ),
    event(x="x" * 4_000),
    event(video_id="w").replace(b'"w"', b'"\\u0077"'),
    *[
        event(**{name: "w"}).replace(b'"w"', b'"\\u0077"')
        for name in ("actor_id", "actor_region", "via_actor_id", "comment_id", "parent_id")
    ],
    event(text="w").replace(b'"w"', b'"\\ud83d"'),
    event().replace(b'"time"', b'"tim\\u0065"'),
    event().replace(b"}", b',"video_id":"v"}'),
    event().replace(b"}", b',"count":1e3}'),
    event().replace(b"}", b',"count":-0}'),
    event().replace(b"}", b',"x":NaN}'),
    event().replace(b"}", b',"x":"\t"}'),
    event().replace(b"}", b",}"),
]


@pytest.mark.parametrize("value", CERTAIN)
def test_messages_that_are_certain(value: bytes) -> None:
    found = scanned(event(), value, event())
    assert (found.row.tolist(), found.undecided.tolist()) == ([0, 1, 2], [])


@pytest.mark.parametrize("value", NOT_CERTAIN)
def test_messages_that_are_not_certain_hide_no_other(value: bytes | None) -> None:
    found = scanned(event(), value, event())
    assert (found.row.tolist(), found.undecided.tolist()) == ([0, 2], [1])


@pytest.mark.parametrize("value", CERTAIN)
def test_nothing_behind_a_message_belongs_to_it(value: bytes) -> None:
    # Each beginning of a message, with the rest of it still behind in memory.
    lengths = np.arange(len(value) + 1)
    whole = packed(Chunk(0, 1, [0], [None], [value], [CREATE_TIME_MS]))
    chunk = PackedChunk(
        low_offset=0,
        next_offset=len(lengths),
        buffer=whole.buffer,
        offset=lengths,
        append_ms=np.full(len(lengths), CREATE_TIME_MS),
        key_begin=np.zeros(len(lengths), np.int64),
        key_length=np.full(len(lengths), NULL_LENGTH),
        value_begin=np.zeros(len(lengths), np.int64),
        value_length=lengths,
    )
    found = scan(chunk, received_ms=TIME_MS, limits=LIMITS)
    shortest = len(value.rstrip())
    assert found.row.tolist() == list(range(shortest, len(value) + 1))


def test_every_column() -> None:
    message = event(
        action="retract",
        retracts="share",
        count=3,
        actor_id="u1",
        actor_role="media",
        event_id="e12",
        topics=["", "t"],
    )
    chunk = packed(Chunk(7, 8, [7], [None], [message], [CREATE_TIME_MS]))
    found = scan(chunk, received_ms=TIME_MS, limits=LIMITS)

    def text(begin: int, length: int) -> bytes:
        return chunk.buffer[begin : begin + length].tobytes()

    assert found.platforms == [b"douyin"]
    assert found.time_ms.tolist() == [TIME_MS]
    assert found.action.tolist() == [ACTION_CODE["share"]]
    assert found.count.tolist() == [-3]
    assert found.role.tolist() == [ROLE_CODE["media"]]
    assert text(found.video_begin[0], found.video_length[0]) == b"v"
    assert text(found.actor_begin[0], found.actor_length[0]) == b"u1"
    assert text(found.event_begin[0], found.event_length[0]) == b"e12"
    assert json.loads(text(found.topics_begin[0], found.topics_length[0])) == ["", "t"]
    bare = scanned(event(topics=[""]), event(topics=[]), event(actor_id="", event_id=None))
    for length in (bare.actor_length, bare.event_length, bare.topics_length):
        assert length.tolist() == [ABSENT] * 3


def test_the_bounds_of_time() -> None:
    values = [event(time=TIME_MS + ahead) for ahead in (59_999, 60_000, 60_001)]
    assert scanned(*values).row.tolist() == [0, 1]
    assert scanned(*values, append_ms=TIME_MS - 1).row.tolist() == [0]
    earliest = [event(time=LIMITS.earliest_ms + at) for at in (-1, 0)]
    assert scanned(*earliest).row.tolist() == [1]


def test_spellings_of_one_platform_are_one_platform() -> None:
    names = ["DouYin", "weibo", "douyin ", "WEIBO", "douyin"]
    found = scanned(*[event(platform=name) for name in names])
    normal = [found.platforms[platform] for platform in found.platform.tolist()]
    assert normal == [name.strip().lower().encode() for name in names]
    assert len(set(found.platform.tolist())) == 2


def test_more_spellings_than_there_is_room_for_are_left_over() -> None:
    values = [event(platform=f"p{at}") for at in range(SPELLINGS_MAX + 5)]
    found = scanned(*values, *values)
    assert len(found.platforms) == SPELLINGS_MAX
    expected = [*range(SPELLINGS_MAX), *range(SPELLINGS_MAX + 5, 2 * SPELLINGS_MAX + 5)]
    assert found.row.tolist() == expected


def test_the_characters_that_platforms_may_have_beyond_ascii() -> None:
    ranges = [range(0x3040, 0xA000), range(0xB000, 0xD000)]
    for code in (code for codes in ranges for code in codes):
        assert normal_platform(chr(code)) == chr(code)
        assert normal_platform(f"A{chr(code)}") == f"a{chr(code)}"
    edges = [0x303F, 0x3000, 0xA000, 0xAFFF, 0xD000, 0xD7A3, 0x85, 0xA0, 0x1F600]
    assert not len(scanned(*[event(platform=chr(code)) for code in edges]).row)
    inside = [codes[at] for codes in ranges for at in (0, 1, -2, -1)]
    assert len(scanned(*[event(platform=chr(code)) for code in inside]).row) == len(inside)


CHECKED = """
import sys
import numpy as np
sys.path.insert(0, {tests!r})
from test_event_scanning import CERTAIN, NOT_CERTAIN, scanned
from models.decoding import warm_up
with np.errstate(over="ignore"):
    warm_up()
    whole = scanned(*CERTAIN, *NOT_CERTAIN)
    assert whole.row.tolist() == list(range(len(CERTAIN)))
    # One alone ends where memory ends, wherever it is cut off.
    for value in [*CERTAIN, *NOT_CERTAIN]:
        assert len(scanned(value).row) == (value in CERTAIN)
    for value in [value for value in CERTAIN if len(value) < 200]:
        for end in range(len(value)):
            assert not len(scanned(value[:end]).row) or value[end:].isspace()
print("checked")
"""


def test_uncompiled_with_every_index_checked() -> None:
    directory = Path(__file__).parent
    ended = subprocess.run(
        [sys.executable, "-c", CHECKED.format(tests=str(directory))],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(directory.parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (ended.stdout, ended.stderr) == ("checked\n", "")
