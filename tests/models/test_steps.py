from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from models.steps import CREATE_TIME_MS, Chunk, Cut, Output, load_records


def chunk(offsets: list[int], low: int, following: int) -> Chunk:
    return Chunk(
        low_offset=low,
        next_offset=following,
        offsets=offsets,
        keys=[f"k{at}".encode() for at in offsets],
        values=[None if at % 3 == 0 else f"v{at}".encode() for at in offsets],
        append_ms=[CREATE_TIME_MS if at % 2 else at * 1_000 for at in offsets],
    )


@given(offsets=st.sets(st.integers(10, 40)), at=st.integers(0, 60))
def test_what_stands_after_an_offset_is_kept_whole(offsets: set[int], at: int) -> None:
    whole = chunk(sorted(offsets), 10, 41)
    rest = whole.after(at)
    assert rest.next_offset == whole.next_offset
    assert rest.low_offset == max(at, whole.low_offset)
    kept = chunk([o for o in sorted(offsets) if o >= at], rest.low_offset, 41)
    assert rest == kept


@given(offsets=st.sets(st.integers(10, 40)), one=st.integers(10, 41), two=st.integers(10, 41))
def test_cutting_twice_is_cutting_at_the_later_offset(
    offsets: set[int], one: int, two: int
) -> None:
    whole = chunk(sorted(offsets), 10, 41)
    assert whole.after(one).after(two) == whole.after(max(one, two))


def test_a_cut_is_something_when_rows_or_outputs_are_there() -> None:
    assert not Cut()
    assert Cut(rows=[(b"gone", None)])
    assert Cut(outputs=[Output("alerts", 0, None, None)])


class OneByOne:
    held = False
    awaited = False

    def __init__(self) -> None:
        self.loaded: list[tuple[bytes, bytes | None]] = []

    def load(self, key: bytes, value: bytes | None) -> None:
        self.loaded.append((key, value))

    def recovered(self) -> None: ...

    def process(self, chunk: Chunk) -> None: ...

    def learn(self, key: bytes, value: bytes | None) -> None: ...

    def cut(self) -> Cut:
        return Cut()


class AtOnce(OneByOne):
    def load_all(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        self.loaded += [(b"at once", None), *zip(keys, values, strict=True)]


def test_records_are_loaded_at_once_by_a_step_that_can() -> None:
    keys, values = [b"a", b"b"], [b"1", None]
    slow, quick = OneByOne(), AtOnce()
    load_records(slow, keys, values)
    load_records(quick, keys, values)
    assert slow.loaded == [(b"a", b"1"), (b"b", None)]
    assert quick.loaded == [(b"at once", None), *slow.loaded]
