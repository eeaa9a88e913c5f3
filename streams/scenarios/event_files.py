"""Files of events: JSON lines, plain or compressed (.gz, .zst), and parquet by columns."""

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from streams.errors import UserError

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""A longer line is no event but another kind of file; reading stops before the memory is full."""

ZSTD_READ_BYTES: Final = 128 * 1024
"""Packed bytes read at a time, which events unpack to a megabyte or so."""

PARQUET_ROWS: Final = 16_384
"""Rows of a parquet file held in memory at a time."""

WRITE_ROWS: Final = 65_536
"""Lines joined for one write: some 8 MB."""

FORMATS: Final = "JSON lines (.jsonl, .jsonl.gz, .jsonl.zst) or parquet (.parquet)"


def read_events(path: Path) -> Iterator[bytes]:
    """Yield the events of a file as JSON text without a newline, in the order of the file.

    Lines are passed on as they are, also bad ones; empty lines are left out. Of parquet rows, null
    fields are left out.

    Raises:
        UserError: The file is not there, is damaged, or is not of a known format.
    """
    try:
        with _opened(path) as (stream, is_parquet):
            yield from _parquet_rows(stream) if is_parquet else _lines(stream, path)
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}", remedy=f"give a file of {FORMATS}") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a directory", remedy=f"give a file of {FORMATS}") from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read", remedy="give yourself the right to") from error
    except (EOFError, gzip.BadGzipFile, zstandard.ZstdError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path} is damaged: {error}", remedy="copy or make it anew") from error
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read: {error}", remedy="copy or make it anew") from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], bool]]:
    """Open the file and tell whether it is parquet, by its first bytes rather than its name."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        begin = file.read(4)
        file.seek(0)
        if begin[:2] == b"\x1f\x8b":
            unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=file))
            yield stack.enter_context(unpacked), False
        elif begin == b"\x28\xb5\x2f\xfd":
            yield io.BufferedReader(_Joined(_zstd_frames(file)), 1 << 20), False
        else:
            yield file, begin == b"PAR1"


def _zstd_frames(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what the frames of a file hold.

    The library's own reader takes a file that was cut off for a whole one.
    """
    frame = None
    while packed := file.read(ZSTD_READ_BYTES):
        while packed:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(packed)
            packed = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
    if frame is not None:
        raise EOFError("it ends in the middle of a frame")


class _Joined(io.RawIOBase):
    """Chunks of bytes as one stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - io's own type is a buffer
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _lines(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    while line := stream.readline(LINE_BYTES_MAX):
        if len(line) == LINE_BYTES_MAX:
            raise UserError(
                f"{path} has a line of more than {LINE_BYTES_MAX:,} bytes",
                remedy=f"give a file of {FORMATS}",
            )
        stripped = line.rstrip(b"\r\n")
        if stripped:
            yield stripped


def _parquet_rows(stream: IO[bytes]) -> Iterator[bytes]:
    for batch in pq.ParquetFile(stream).iter_batches(batch_size=PARQUET_ROWS):
        for row in batch.to_pylist():
            fields = {name: value for name, value in row.items() if value is not None}
            yield json.dumps(
                fields, ensure_ascii=False, separators=(",", ":"), default=_as_json
            ).encode()


def _as_json(value: Any) -> str:  # noqa: ANN401 - json hands over whatever a column holds
    """Return a timestamp as RFC 3339; a column of any other kind is no field of the contract."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise UserError(
        f"a column holds {type(value).__name__}, which is not JSON",
        remedy="write the fields of docs/events.md",
    )


def event_time_ms(line: bytes, otherwise_ms: int) -> int:
    """Return the event time of a line, or `otherwise_ms` where it has none that can be read.

    Only the speed of a replay depends on it; what is wrong with a line is for `intake` to say.

    >>> event_time_ms(b'{"time":1693371600000}', 0)
    1693371600000
    >>> event_time_ms(b'{"time":"2023-08-30T13:00:00+08:00"}', 0)
    1693371600000
    """
    try:
        time = json.loads(line)["time"]
        if isinstance(time, str):
            time = datetime.fromisoformat(time).timestamp() * 1000
        return int(time)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return otherwise_ms


def write_events(lines: pl.Series, path: Path) -> None:
    """Write JSON lines, compressed when the name ends with .gz or .zst.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        with ExitStack() as stack:
            file: Any = stack.enter_context(path.open("wb"))
            if path.suffix == ".gz":
                # No time and no name in the header: the same events give the same bytes.
                file = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
            elif path.suffix == ".zst":
                file = stack.enter_context(zstandard.ZstdCompressor().stream_writer(file))
            for part in lines.to_frame("line").iter_slices(WRITE_ROWS):
                file.write(("\n".join(part["line"].to_list()) + "\n").encode())
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}", remedy="choose another place"
        ) from error
