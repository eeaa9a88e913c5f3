"""What occurs most, in bounded memory, with an error for each count: space-saving.

A key that is not counted yet takes the place of the one with the least count, and its count with
it, as an error: so no count is too low, none is too high by more than its error, and every key that
occurs more often than all occurrences divided by the places is there [1]. Counters of two streams
merge with the sum of their errors [2]. While there are fewer different keys than places, all counts
are exact.

References:
    [1] A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and Top-k
        Elements in Data Streams", ICDT 2005, sections 3 and 4.
    [2] M. Cafaro, M. Pulimeno, P. Tempesta, "A parallel space saving algorithm for frequent items
        and the Hurwitz zeta distribution", Information Sciences 2016, section 4.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.compiled import compiled

COUNTER: Final = np.dtype(
    [("key", np.uint64), ("rest", np.uint64), ("count", np.uint32), ("error", np.uint32)]
)
"""A key of 128 bits and how often it occurred: between `count` - `error` and `count` times.

`count` 0: a free place; both stop at COUNT_MAX."""

COUNT_MAX: Final = (1 << 32) - 1

Counters = npt.NDArray[np.void]
"""COUNTER[...], free places last."""
Times = int | np.int64


@compiled
def count_key(counters: Counters, key: np.uint64, rest: np.uint64, times: Times) -> None:
    """Count a key, in place; of keys with the same least count the lowest gives way.

    Args:
        counters: COUNTER[n].
        key: The first 64 bits of the key.
        rest: The other 64.
        times: How often it occurred, at least once.
    """
    least = 0
    for at in range(len(counters)):
        counter = counters[at]
        if counter.count == 0:
            _set(counter, key, rest, times, 0)
            return
        if counter.key == key and counter.rest == rest:
            counter.count = _capped(np.int64(counter.count) + times)
            return
        if counter.count < counters[least].count or (
            counter.count == counters[least].count
            and _precedes(counter.key, counter.rest, counters[least].key, counters[least].rest)
        ):
            least = at
    counter = counters[least]
    _set(counter, key, rest, np.int64(counter.count) + times, np.int64(counter.count))


@compiled
def merge_counters(into: Counters, other: Counters) -> None:
    """Merge counters into others of the same length, in place, the most frequent key first.

    The order of the two does not matter; that of three and more only where keys had to give way.
    """
    places = len(into)
    both = np.zeros(2 * places, COUNTER)
    missed_here, missed_there = _missed(into), _missed(other)
    size = 0
    for number in range(places):
        if into[number].count:
            counter = into[number]
            times, error = np.int64(counter.count), np.int64(counter.error)
            there = _find(other, counter.key, counter.rest)
            if there >= 0:
                times += other[there].count
                error += other[there].error
            else:
                times += missed_there
                error += missed_there
            _set(both[size], counter.key, counter.rest, times, error)
            size += 1
    for number in range(places):
        counter = other[number]
        if counter.count and _find(into, counter.key, counter.rest) < 0:
            times = np.int64(counter.count) + missed_here
            error = np.int64(counter.error) + missed_here
            _set(both[size], counter.key, counter.rest, times, error)
            size += 1
    for place in range(places):
        best = place
        for number in range(place + 1, size):
            if _is_above(both[number], both[best]):
                best = number
        if best >= size:
            _set(into[place], np.uint64(0), np.uint64(0), 0, 0)
            continue
        counter = both[best]
        _set(into[place], counter.key, counter.rest, counter.count, counter.error)
        first = both[place]
        _set(counter, first.key, first.rest, first.count, first.error)


@compiled
def _missed(counters: Counters) -> np.int64:
    """Return how often a key may have occurred that is not there."""
    least = np.int64(COUNT_MAX)
    for at in range(len(counters)):
        if counters[at].count < least:
            least = np.int64(counters[at].count)
    return least


@compiled
def _find(counters: Counters, key: np.uint64, rest: np.uint64) -> int:
    for at in range(len(counters)):
        if counters[at].count and counters[at].key == key and counters[at].rest == rest:
            return at
    return -1


@compiled
def _is_above(one: Any, other: Any) -> bool:  # noqa: ANN401 - records
    """Tell which comes first: the higher count, then the lower error, then the lower key."""
    if one.count != other.count:
        higher: bool = one.count > other.count
        return higher
    if one.error != other.error:
        surer: bool = one.error < other.error
        return surer
    return _precedes(one.key, one.rest, other.key, other.rest)


@compiled
def _precedes(key: np.uint64, rest: np.uint64, other: np.uint64, other_rest: np.uint64) -> bool:
    return bool(key < other or (key == other and rest < other_rest))


@compiled
def _capped(times: Times) -> np.uint32:
    if times > COUNT_MAX:
        return np.uint32(COUNT_MAX)
    return np.uint32(times)


@compiled
def _set(
    counter: Any,  # noqa: ANN401 - a record
    key: np.uint64,
    rest: np.uint64,
    times: Times,
    error: Times,
) -> None:
    counter.key, counter.rest = key, rest
    counter.count, counter.error = _capped(times), _capped(error)
