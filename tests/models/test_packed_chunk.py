from hypothesis import given
from hypothesis import strategies as st

from models.packed_chunk import PackedChunk, packed
from models.steps import CREATE_TIME_MS, Chunk

TEXTS = st.none() | st.binary(max_size=5)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    offsets = sorted(draw(st.sets(st.integers(10, 40))))
    n = len(offsets)
    return Chunk(
        low_offset=10,
        next_offset=41,
        offsets=offsets,
        keys=draw(st.lists(TEXTS, min_size=n, max_size=n)),
        values=draw(st.lists(TEXTS, min_size=n, max_size=n)),
        append_ms=draw(st.lists(st.integers(CREATE_TIME_MS, 2**40), min_size=n, max_size=n)),
    )


def unpacked(chunk: PackedChunk) -> Chunk:
    return Chunk(
        low_offset=chunk.low_offset,
        next_offset=chunk.next_offset,
        offsets=chunk.offset.tolist(),
        keys=[chunk.key(row) for row in range(len(chunk))],
        values=[chunk.value(row) for row in range(len(chunk))],
        append_ms=chunk.append_ms.tolist(),
    )


@given(chunks())
def test_packing_keeps_every_message(chunk: Chunk) -> None:
    assert unpacked(packed(chunk)) == chunk
    assert packed(chunk).value_bytes == sum(len(value or b"") for value in chunk.values)


@given(chunks(), st.integers(0, 45))
def test_a_packed_chunk_is_cut_as_a_chunk_is(chunk: Chunk, at: int) -> None:
    assert unpacked(packed(chunk).after(at)) == chunk.after(at)


@given(chunks(), st.integers(0, 45))
def test_answering_from_an_earlier_offset_keeps_the_messages(chunk: Chunk, at: int) -> None:
    longer = packed(chunk).answering_from(at)
    assert longer.low_offset == min(at, chunk.low_offset)
    assert unpacked(longer.after(10)) == chunk
