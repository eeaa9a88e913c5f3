"""One record batch of Arrow as bytes: compiled pieces to write, size, find and check them.

Each part of a message is an encapsulated Arrow IPC message with one record batch (Apache Arrow,
"Columnar Format", section "Encapsulated message format"): 0xFFFFFFFF, the length of the metadata,
the metadata (a FlatBuffer), the buffers. The metadata of a record batch are the same bytes each
time but for the numbers of rows and bytes, so they are written here, and compared when read: a
message through pyarrow takes 24 us for encoding and decoding 400 rows, this takes a fifth of it
(measured). tests/models/test_batch_layout.py reads what this writes with pyarrow.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

_METADATA_BYTES: Final = 80
"""Of a record batch without columns; each column adds 16 bytes, and each of its buffers 16."""
_PREFIX_BYTES: Final = 8
_STRING_BUFFERS: Final = 3

OK: Final = 0
WRONG_LENGTH: Final = 1
WRONG_METADATA: Final = 2
WRONG_STRINGS: Final = 3
WRONG_INDEX: Final = 4
WRONG_VALUE: Final = 5
"""What is wrong with a message (models/batches.py has the words)."""


@compiled
def padded(size: int) -> int:
    """Return the next multiple of 8, to which Arrow aligns buffers."""
    return (size + 7) // 8 * 8


@compiled
def put(out: Bytes, at: int, value: int, width: int) -> None:
    """Write an integer of `width` bytes, the lowest first."""
    for byte in range(width):
        out[at + byte] = (value >> (8 * byte)) & 0xFF


@compiled
def _write_metadata(out: Bytes, at: int, rows: int, columns: int, buffer_bytes: Integers) -> int:
    """Write the prefix and the metadata of a record batch; return where its body begins.

    The FlatBuffer has two tables, `Message` and `RecordBatch` (format/Message.fbs of Apache Arrow),
    and two vectors, of `FieldNode` and of `Buffer`; positions are relative to its beginning.
    `buffer_bytes` holds the bytes of each buffer, in order.
    """
    buffers = len(buffer_bytes)
    size = _METADATA_BYTES + 16 * columns + 16 * buffers
    put(out, at, 0xFFFFFFFF, 4)
    put(out, at + 4, size, 4)
    at += _PREFIX_BYTES
    put(out, at, 16, 4)  # where the root table is
    for slot, offset in enumerate((12, 20, 16, 18, 4, 8)):  # vtable of Message
        put(out, at + 4 + 2 * slot, offset, 2)
    put(out, at + 16, 12, 4)  # Message: how far back its vtable is
    put(out, at + 20, 28, 4)  # header: a RecordBatch
    put(out, at + 32, 4, 2)  # version: V5
    put(out, at + 34, 3, 1)  # header_type: RecordBatch
    for slot, offset in enumerate((10, 20, 8, 4, 16)):  # vtable of RecordBatch
        put(out, at + 36 + 2 * slot, offset, 2)
    put(out, at + 48, 12, 4)  # RecordBatch: how far back its vtable is
    put(out, at + 52, 16, 4)  # nodes
    put(out, at + 56, rows, 8)
    put(out, at + 64, 12 + 16 * columns, 4)  # buffers
    put(out, at + 68, columns, 4)
    for column in range(columns):
        put(out, at + 72 + 16 * column, rows, 8)  # and no nulls
    put(out, at + 76 + 16 * columns, buffers, 4)
    body = 0
    for buffer in range(buffers):
        where = at + 80 + 16 * columns + 16 * buffer
        put(out, where, body, 8)
        put(out, where + 8, buffer_bytes[buffer], 8)
        body += padded(buffer_bytes[buffer])
    put(out, at + 24, body, 8)
    return at + size


@compiled
def _equal_metadata(message: Bytes, at: int, rows: int, columns: int, sizes: Integers) -> int:
    """Return where the body begins, -1 where other metadata are written than we would write."""
    expected = np.zeros(_PREFIX_BYTES + _METADATA_BYTES + 16 * (columns + len(sizes)), np.uint8)
    size = _write_metadata(expected, 0, rows, columns, sizes)
    if at + size > len(message):
        return -1
    for byte in range(size):
        if message[at + byte] != expected[byte]:
            return -1
    return at + size


@compiled
def _column_buffers(rows: int, widths: Integers) -> Integers:
    """Return the bytes of each buffer of the rows; none has a bitmap of nulls."""
    columns = 0
    for width in widths:
        columns += 1 if width else 0
    sizes = np.zeros(2 * columns, np.int64)
    at = 0
    for width in widths:
        if width:
            sizes[at + 1] = width * rows
            at += 2
    return sizes


@compiled
def columns_size(rows: int, widths: Integers) -> int:
    """Return the bytes of a part of columns of fixed width; without rows there is none."""
    if rows == 0:
        return 0
    sizes = _column_buffers(rows, widths)
    size = _PREFIX_BYTES + _METADATA_BYTES + 8 * len(sizes) + 16 * len(sizes)
    for buffer in sizes:
        size += padded(buffer)
    return size


@compiled
def _positions(at: int, rows: int, widths: Integers) -> Integers:
    """Return where each column begins, in values of its own width; 0 for one that is left out."""
    first = np.zeros(len(widths), np.int64)
    for column in range(len(widths)):
        if widths[column]:
            first[column] = at // widths[column]
            at += padded(widths[column] * rows)
    return first


@compiled
def begin_columns(out: Bytes, at: int, rows: int, widths: Integers) -> tuple[Integers, int]:
    """Write what stands before columns of fixed width; `rows` is not 0.

    Returns:
        int64[c], where each column begins, in values of its own width, and where the next part
        begins. A column of width 0 is left out.
    """
    sizes = _column_buffers(rows, widths)
    body = _write_metadata(out, at, rows, len(sizes) // 2, sizes)
    return _positions(body, rows, widths), at + columns_size(rows, widths)


@compiled
def find_columns(message: Bytes, at: int, rows: int, widths: Integers) -> tuple[int, Integers, int]:
    """Find columns of fixed width and check what stands before them; `rows` is not 0.

    Returns:
        What is wrong or OK, and what `begin_columns` returns.
    """
    following = at + columns_size(rows, widths)
    if following > len(message):
        return WRONG_LENGTH, np.zeros(0, np.int64), 0
    sizes = _column_buffers(rows, widths)
    body = _equal_metadata(message, at, rows, len(sizes) // 2, sizes)
    if body < 0:
        return WRONG_METADATA, np.zeros(0, np.int64), 0
    return OK, _positions(body, rows, widths), following


@compiled
def _string_buffers(strings: int, string_bytes: int, with_rows: bool) -> Integers:
    """Return the bytes of each buffer of a column of strings, after one of row numbers or alone."""
    before = 2 if with_rows else 0
    sizes = np.zeros(before + _STRING_BUFFERS, np.int64)
    if with_rows:
        sizes[1] = 4 * strings
    sizes[before + 1] = 4 * (strings + 1)
    sizes[before + 2] = string_bytes
    return sizes


@compiled
def strings_size(strings: int, string_bytes: int, with_rows: bool) -> int:
    """Return the bytes of a part of strings; without strings there is none."""
    if strings == 0:
        return 0
    sizes = _string_buffers(strings, string_bytes, with_rows)
    size = _PREFIX_BYTES + _METADATA_BYTES + 16 * len(sizes) + (32 if with_rows else 16)
    for buffer in sizes:
        size += padded(buffer)
    return size


@compiled
def string_totals(
    target: npt.NDArray[np.int32], begin: npt.NDArray[np.int32], targets: int
) -> tuple[Integers, Integers]:
    """Return how many strings each target has, int64[targets], and how many bytes they have.

    String i, for `target` i, begins at `begin` i, int32[n + 1], in one text.
    """
    strings_of = np.zeros(targets, np.int64)
    bytes_of = np.zeros(targets, np.int64)
    for which in range(len(target)):
        strings_of[target[which]] += 1
        bytes_of[target[which]] += begin[which + 1] - begin[which]
    return strings_of, bytes_of


@compiled
def write_strings(
    out: Bytes, at: int, chosen: Integers, begin: npt.NDArray[np.int32], text: Bytes, rows: Integers
) -> int:
    """Write the part of those strings that are `chosen`; return where the next part begins.

    `rows` holds a number for each chosen string, or nothing.
    """
    strings = len(chosen)
    if strings == 0:
        return at
    size = 0
    for which in chosen:
        size += begin[which + 1] - begin[which]
    with_rows = len(rows) > 0
    sizes = _string_buffers(strings, size, with_rows)
    at = _write_metadata(out, at, strings, 2 if with_rows else 1, sizes)
    numbers = out.view(np.uint32)
    if with_rows:
        for row in range(strings):
            numbers[at // 4 + row] = rows[row]
        at += padded(4 * strings)
    bytes_at = at + padded(4 * (strings + 1))
    end = 0
    for row in range(strings):
        which = chosen[row]
        numbers[at // 4 + row] = end
        for byte in range(begin[which], begin[which + 1]):
            out[bytes_at + end] = text[byte]
            end += 1
    numbers[at // 4 + strings] = end
    return bytes_at + padded(size)


@compiled
def locate_strings(  # noqa: PLR0911 - an early return for each thing that may be wrong
    message: Bytes, at: int, strings: int, rows_end: int, with_rows: bool
) -> tuple[int, int, int, int, int]:
    """Find a part that holds strings and check it.

    Args:
        message: The whole message, a multiple of 8 bytes.
        at: Where the part begins.
        strings: How many strings the header announces; without any there is no part.
        rows_end: What the row numbers must stay below.
        with_rows: Whether a row number stands before each string; they ascend.

    Returns:
        What is wrong or OK; where the row numbers, the offsets and the bytes begin; where the next
        part begins.
    """
    if strings == 0:
        return OK, at, at, at, at
    columns = 2 if with_rows else 1
    buffers = columns * 2 + 1
    rows_at = at + _PREFIX_BYTES + _METADATA_BYTES + 16 * (columns + buffers)
    offsets_at = rows_at + (padded(4 * strings) if with_rows else 0)
    bytes_at = offsets_at + padded(4 * (strings + 1))
    if bytes_at > len(message):
        return WRONG_LENGTH, 0, 0, 0, 0
    numbers = message.view(np.uint32)
    size = int(numbers[offsets_at // 4 + strings])
    following = bytes_at + padded(size)
    if following > len(message):
        return WRONG_LENGTH, 0, 0, 0, 0
    sizes = _string_buffers(strings, size, with_rows)
    if _equal_metadata(message, at, strings, columns, sizes) != rows_at:
        return WRONG_METADATA, 0, 0, 0, 0
    if numbers[offsets_at // 4] != 0:
        return WRONG_STRINGS, 0, 0, 0, 0
    for which in range(strings):
        if numbers[offsets_at // 4 + which] > numbers[offsets_at // 4 + which + 1]:
            return WRONG_STRINGS, 0, 0, 0, 0
        if with_rows:
            row = numbers[rows_at // 4 + which]
            if row >= rows_end or (which > 0 and row <= numbers[rows_at // 4 + which - 1]):
                return WRONG_INDEX, 0, 0, 0, 0
    return OK, rows_at, offsets_at, bytes_at, following


@compiled
def grouped(target: npt.NDArray[np.int32], number_of: Integers) -> Integers:
    """Return the indices of `target`, in order of targets, and of one target in their own order."""
    following = np.cumsum(number_of) - number_of
    grouped = np.empty(len(target), np.int64)
    for which in range(len(target)):
        grouped[following[target[which]]] = which
        following[target[which]] += 1
    return grouped


@compiled
def scatter(
    out: npt.NDArray[np.generic],
    first: Integers,
    target: npt.NDArray[np.int32],
    place: npt.NDArray[np.int32],
    column: npt.NDArray[np.generic],
    base: int,
) -> None:
    """Write `column` - `base` of each row to its place among the rows of its target."""
    for row in range(len(column)):
        out[first[target[row]] + place[row]] = column[row] - base


@compiled
def gather(out: npt.NDArray[np.generic], column: npt.NDArray[np.generic], base: int) -> None:
    """Write `column` + `base` into `out`."""
    for row in range(len(out)):
        out[row] = np.int64(column[row]) + base
