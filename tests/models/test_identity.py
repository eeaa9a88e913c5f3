import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.identity import (
    ABSENT_HASH,
    KEY_BYTES_MAX,
    KEY_BYTES_MIN,
    ActorHasher,
    partition_of,
    partitions_of,
    split_video_key,
    video_key,
)

KEY = b"0123456789abcdef"
TEXT = st.text(st.characters(codec="utf-8"))
PLATFORM = st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), min_size=1)


@given(platform=PLATFORM, video_id=TEXT)
def test_a_video_key_splits_into_what_it_was_made_of(platform: str, video_id: str) -> None:
    assert split_video_key(video_key(platform, video_id)) == (platform, video_id)


def test_text_without_a_separator_is_not_a_video_key() -> None:
    with pytest.raises(ValueError, match="not a video key"):
        split_video_key("douyin")


def test_the_rule_of_partitions_is_frozen() -> None:
    # The checksums of gzip; a change would move videos away from their state.
    keys = ["douyin\x1f7273", "bilibili\x1fBV1", "weibo\x1f1", "微博\x1f视频"]
    assert [partition_of(key, 1 << 32) for key in keys] == [
        166285313,
        244440870,
        915932991,
        2788806983,
    ]


@given(keys=st.lists(TEXT), partitions=st.integers(1, 64))
def test_partitions_of_many_are_those_of_each(keys: list[str], partitions: int) -> None:
    expected = [partition_of(key, partitions) for key in keys]
    assert partitions_of(keys, partitions).tolist() == expected
    assert all(0 <= partition < partitions for partition in expected)


@given(texts=st.lists(TEXT))
def test_hashes_of_many_are_those_of_each_and_never_absent(texts: list[str]) -> None:
    hasher = ActorHasher(KEY)
    hashes = hasher.hash_all(texts).tolist()
    assert hashes == [hasher.hash_one(text) for text in texts]
    assert ABSENT_HASH not in hashes


def test_the_hash_depends_on_the_key_and_is_the_same_in_another_process() -> None:
    code = f"from models.identity import ActorHasher; print(ActorHasher({KEY!r}).hash_one('u1'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == ActorHasher(KEY).hash_one("u1")
    assert ActorHasher(KEY).hash_one("u1") != ActorHasher(KEY[::-1]).hash_one("u1")


@pytest.mark.parametrize("length", [0, KEY_BYTES_MIN - 1, KEY_BYTES_MAX + 1])
def test_a_key_of_unfit_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"has {length} bytes"):
        ActorHasher(b"k" * length)
