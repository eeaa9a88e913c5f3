"""Who and what is meant: keys of videos, their partition, and hashes that hide the audience.

No raw id of the audience is stored or leaves `intake`: an actor becomes a keyed hash, which only
who holds the key can link to an id again (docs/events.md, "People").
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

KEY_SEPARATOR: Final = "\x1f"
"""U+001F, the ASCII "unit separator"; a platform's name never holds it (docs/events.md)."""

ABSENT_HASH: Final = 0
"""Stands for an id that was not given; no id hashes to it."""

KEY_BYTES_MIN: Final = 16
"""128 bits: below that, a key can be found by trial, and with it every id of the audience."""

KEY_BYTES_MAX: Final = 64
"""The longest key of BLAKE2b (RFC 7693, section 2.1)."""

SIP_KEY_BYTES: Final = 16
"""The key of SipHash (Aumasson & Bernstein 2012, section 2.1)."""

_ACTOR_PURPOSE: Final = b"hotspots actor"
_EVENT_PURPOSE: Final = b"hotspots event"
_COMMENT_PURPOSE: Final = b"hotspots comment"


def video_key(platform: str, video_id: str) -> str:
    r"""Name a video over all platforms.

    >>> video_key("douyin", "7273")
    'douyin\x1f7273'
    """
    return f"{platform}{KEY_SEPARATOR}{video_id}"


def split_video_key(key: str) -> tuple[str, str]:
    r"""Return the platform and the id of a video key.

    >>> split_video_key("douyin\x1f7273")
    ('douyin', '7273')

    Raises:
        ValueError: The text is not a video key.
    """
    platform, separator, video_id = key.partition(KEY_SEPARATOR)
    if not separator:
        raise ValueError(f"not a video key: {key!r}")
    return platform, video_id


def partition_of(video_key: str, partitions: int) -> int:
    r"""Return the partition, 0 to `partitions` - 1, that a video belongs to.

    The rule is written to Kafka (docs/architecture.md): changing it moves videos away from their
    state.

    >>> partition_of("douyin\x1f7273", 4)
    1
    """
    return crc32(video_key.encode()) % partitions


def partitions_of(video_keys: Iterable[str], partitions: int) -> npt.NDArray[np.int32]:
    """Return int32[n]: `partition_of` each key."""
    return np.fromiter((crc32(key.encode()) % partitions for key in video_keys), np.int32)


SipKey = tuple[int, int]
"""The two halves of a key of SipHash, 0 to 2^64 - 1 each, the little-endian lower one first."""


@dataclass(frozen=True, slots=True)
class HashKeys:
    """The keys of the hashes that stand for ids, the same on every worker.

    Ids become 64-bit SipHash-2-4 (models/siphash.py) of platform + U+001F + id. 64 bits: among a
    hundred million people the chance that any two share a hash is 0.03 % (birthday bound,
    n^2 / 2^65), and sketches are far coarser than that.

    Attributes:
        actor: The key for `actor_id` and `via_actor_id`, so that one person has one hash.
        event: The key for `event_id`: another one, so that the hash of an event that is named
            after a person says nothing of that person.
        comment: The key for `comment_id` and `parent_id`, another one for the same reason.
    """

    actor: SipKey = field(repr=False)
    event: SipKey = field(repr=False)
    comment: SipKey = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> "HashKeys":
        """Derive the keys from the secret shared by all workers.

        SipHash takes 128 bits and secrets have many lengths: keyed BLAKE2b, personalised with the
        purpose (RFC 7693; the BLAKE2 paper, section 2.8), makes the one from the other.

        Args:
            secret: KEY_BYTES_MIN to KEY_BYTES_MAX bytes.

        Raises:
            ValueError: The secret is too short or too long.
        """
        if not KEY_BYTES_MIN <= len(secret) <= KEY_BYTES_MAX:
            raise ValueError(
                f"the key for actors has {len(secret)} bytes; "
                f"it needs {KEY_BYTES_MIN} to {KEY_BYTES_MAX}",
            )
        purposes = (_ACTOR_PURPOSE, _EVENT_PURPOSE, _COMMENT_PURPOSE)
        return cls(*(_derived(secret, purpose) for purpose in purposes))


def _derived(secret: bytes, purpose: bytes) -> SipKey:
    derived = blake2b(digest_size=SIP_KEY_BYTES, key=secret, person=purpose).digest()
    return int.from_bytes(derived[:8], "little"), int.from_bytes(derived[8:], "little")
