"""Numbers of videos and lists of topics: those a dictionary of Python would give."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.identity import video_key
from models.span_numbering import number_spans, number_videos

IDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)
FEW = st.sampled_from(["v", "v1", "v12345678", "v12345679", "博物馆", "a" * 16, "a" * 17])


def spans(texts: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    length = np.array([len(text) for text in texts], np.int32)
    begin = (np.cumsum(length) - length).astype(np.int64)
    return np.frombuffer(bytearray().join(texts), np.uint8), begin, length


@given(
    rows=st.lists(st.tuples(st.integers(0, 2), IDS | FEW), max_size=60),
    seed=st.integers(0, 2**64 - 1),
)
def test_videos_are_numbered_by_first_appearance(rows: list[tuple[int, str]], seed: int) -> None:
    platforms = ["douyin", "d", "抖音"]
    data, begin, length = spans([video_id.encode() for _, video_id in rows])
    videos, video = number_videos(
        data,
        begin,
        length,
        np.array([platform for platform, _ in rows], np.uint8),
        [name.encode() for name in platforms],
        seed=seed,
    )
    keys = [video_key(platforms[platform], video_id) for platform, video_id in rows]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    assert videos == list(numbers)
    assert video.dtype == np.int32
    assert video.tolist() == [numbers[key] for key in keys]


def test_many_videos() -> None:
    ids = [b"%d" % (at * at % 10_007) for at in range(30_000)]
    data, begin, length = spans(ids)
    videos, video = number_videos(data, begin, length, np.zeros(len(ids), np.uint8), [b"p"], seed=5)
    assert [videos[number].encode() for number in video.tolist()] == [b"p\x1f" + x for x in ids]
    assert len(set(videos)) == len(videos)


@given(texts=st.lists(st.binary(max_size=3) | st.binary(min_size=7, max_size=18), max_size=60))
def test_spans_are_numbered_by_first_appearance(texts: list[bytes]) -> None:
    data, begin, length = spans(texts)
    first, code = number_spans(data, begin, length, seed=7)
    distinct = list(dict.fromkeys(texts))
    assert first.tolist() == [texts.index(text) for text in distinct]
    assert [distinct[number] for number in code.tolist()] == texts
