import subprocess
import sys
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.identity import (
    KEY_BYTES_MAX,
    KEY_BYTES_MIN,
    HashKeys,
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


def test_the_keys_depend_on_the_secret_and_the_purpose_and_on_nothing_else() -> None:
    code = f"from models.identity import HashKeys as K; k = K.of({KEY!r}); print(k.actor, k.event)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    keys = HashKeys.of(KEY)
    assert other.stdout.strip() == f"{keys.actor} {keys.event}"
    halves = {*keys.actor, *keys.event, *HashKeys.of(KEY[::-1]).actor}
    assert len(halves) == 6


def test_the_keys_are_frozen() -> None:
    # Sketches hold hashes of years: another derivation would make everyone a stranger.
    expected = blake2b(digest_size=16, key=KEY, person=b"hotspots actor").digest()
    low, high = HashKeys.of(KEY).actor
    assert low.to_bytes(8, "little") + high.to_bytes(8, "little") == expected


def test_the_keys_are_not_shown() -> None:
    keys = HashKeys.of(KEY)
    for half in (*keys.actor, *keys.event):
        assert str(half) not in repr(keys)


@pytest.mark.parametrize("length", [0, KEY_BYTES_MIN - 1, KEY_BYTES_MAX + 1])
def test_a_secret_of_unfit_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"has {length} bytes"):
        HashKeys.of(b"k" * length)


@pytest.mark.parametrize("length", [KEY_BYTES_MIN, KEY_BYTES_MAX])
def test_a_secret_of_fit_length_is_taken(length: int) -> None:
    assert HashKeys.of(b"k" * length) != HashKeys.of(b"l" * length)
