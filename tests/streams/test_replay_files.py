import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import UserError
from streams.scenarios import event_files
from streams.scenarios.event_files import event_time_ms, read_events, write_events

LINES = [b'{"time":1,"title":"\xe9\x80\x83"}', b"not json", b'{"time":2}']
TEXT = b"\r\n".join([LINES[0], b"", LINES[1]]) + b"\n\n" + LINES[2]


def test_lines_come_as_they_are_without_empty_ones(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(TEXT)
    assert list(read_events(path)) == LINES


def test_compression_is_seen_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(TEXT))
    assert list(read_events(path)) == LINES
    # Two frames, one after the other, as appending to a .zst file makes them.
    path.write_bytes(zstandard.compress(TEXT + b"\n") + zstandard.compress(b'{"time":3}'))
    assert list(read_events(path)) == [*LINES, b'{"time":3}']


def test_an_empty_file_has_no_events(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"")
    assert list(read_events(path)) == []


def test_parquet_gives_the_fields_that_are_set(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pl.DataFrame(
        {
            "time": [datetime(2023, 8, 30, tzinfo=UTC), None],
            "count": [None, 2],
            "topics": [["逃出大英博物馆"], None],
        }
    ).write_parquet(path)
    assert [json.loads(line) for line in read_events(path)] == [
        {"time": "2023-08-30T00:00:00+00:00", "topics": ["逃出大英博物馆"]},
        {"count": 2},
    ]


def test_a_parquet_column_that_is_not_json_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pl.DataFrame({"fingerprint": [b"\x00\xff"]}).write_parquet(path)
    with pytest.raises(UserError, match="bytes, which is not JSON"):
        list(read_events(path))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(TEXT * 1_000)[:40], "damaged"),
        (zstandard.compress(TEXT)[:6] + b"\xff" * 20, "damaged"),
        (b"PAR1 and then nothing", "cannot be read"),
    ],
)
def test_damaged_files_are_told_in_one_line(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "events"
    path.write_bytes(content)
    with pytest.raises(UserError, match=what) as caught:
        list(read_events(path))
    assert len(caught.value.lines) == 1


def test_a_truncated_zstd_file_does_not_pass_for_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.zst"
    path.write_bytes(zstandard.compress(b'{"time":1}\n' * 50_000)[:-20])
    with pytest.raises(UserError, match="damaged"):
        list(read_events(path))


def test_missing_files_and_directories_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        list(read_events(tmp_path / "nothing"))
    with pytest.raises(UserError, match="is a directory"):
        list(read_events(tmp_path))


def test_an_endless_line_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_files, "LINE_BYTES_MAX", 100)
    path = tmp_path / "events"
    path.write_bytes(b'{"time":1}\n' + b"x" * 1_000)
    lines = read_events(path)
    assert next(lines) == b'{"time":1}'
    with pytest.raises(UserError, match="more than 100 bytes"):
        next(lines)


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz", "e.jsonl.zst"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    lines = [f'{{"time":{i}}}' for i in range(event_files.WRITE_ROWS + 5)]
    path = tmp_path / name
    write_events(pl.Series(lines), path)
    assert list(read_events(path)) == [line.encode() for line in lines]


def test_writing_where_one_cannot_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write_events(pl.Series(["{}"]), tmp_path / "no" / "such" / "place")


@given(st.integers(0, 2**53))
def test_time_as_a_number_is_read(time_ms: int) -> None:
    assert event_time_ms(json.dumps({"time": time_ms}).encode(), -1) == time_ms


@given(st.binary())
def test_any_line_has_some_time(line: bytes) -> None:
    assert isinstance(event_time_ms(line, 7), int)


@pytest.mark.parametrize(
    "line", [b"", b"[]", b'"x"', b"{}", b'{"time":null}', b'{"time":"soon"}', b'{"time":1e999}']
)
def test_lines_without_a_time_take_the_one_before(line: bytes) -> None:
    assert event_time_ms(line, 7) == 7
