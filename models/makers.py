"""By whom the derivatives of a work are made: how many creators, in which roles, and how evenly.

Content creators, people of higher education and professionals are to be encouraged to create from
deeper perspectives [1], and recipients of various levels take part in a hotspot [2]; so the roles
of those who make derivatives are told, and whether many make them or a few. Creators are actors of
the public sphere; but of ordinary people only the number is told, not who they are.

References:
    [1] seed 000, section 4, strategy (3).
    [2] seed 000, section 3.2, third and fourth stage.
    [3] M. Hill, "Diversity and evenness", Ecology 54, 1973: the effective number of order 2.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from models.identity import split_video_key
from models.tracked_videos import TrackedVideo, TrackedVideos, creator_key
from models.vocabulary import Role

MAKERS_NAMED: Final = 3
"""Creators that are named, those of the most derivatives: as many as deep creations are told of a
work (guidance.MOST_CREATIONS)."""


def makers_of(made: Sequence[TrackedVideo], tracked: TrackedVideos) -> dict[str, Any]:
    """Return by whom derivatives were made, JSON-ready.

    Args:
        made: The derivatives, in order; one at least.
        tracked: All videos, among which their sources are.

    Returns:
        `by_role`, derivatives by the role of who made them, most first; and of those whose creator
        is named: how many `creators`, `creators_effective` [3], how many derivatives are by the
        creator of what they were made from (`by_source_creator`), and the `most` active of those
        who made several, none as ordinary people, each with `platform`, `creator_id`, `role` as of
        late and `derivatives`.
    """
    by_role = Counter(video.creator_role or Role.ORDINARY.value for video in made)
    said: dict[str, Any] = {"by_role": dict(sorted(by_role.items(), key=_most_first))}
    by_creator = Counter(key for video in made if (key := creator_key(video)))
    if not by_creator:
        return said
    named = by_creator.total()
    role_of = {creator_key(video): video.creator_role for video in made}
    ordinary = {creator_key(video) for video in made if not video.creator_role}
    public = [
        (key, count) for key, count in by_creator.items() if count > 1 and key not in ordinary
    ]
    said["creators"] = len(by_creator)
    effective = named**2 / sum(count**2 for count in by_creator.values())
    said["creators_effective"] = round(effective, 1)
    said["by_source_creator"] = sum(_is_by_source_creator(video, tracked) for video in made)
    if public:
        said["most"] = [
            _shown(key, role_of[key], count)
            for key, count in sorted(public, key=_most_first)[:MAKERS_NAMED]
        ]
    return said


def _most_first(counted: tuple[str, int]) -> tuple[int, str]:
    name, count = counted
    return -count, name


def _is_by_source_creator(video: TrackedVideo, tracked: TrackedVideos) -> bool:
    source, key = tracked.get(video.source), creator_key(video)
    return source is not None and bool(key) and key == creator_key(source)


def _shown(key: str, role: str, derivatives: int) -> dict[str, Any]:
    platform, creator_id = split_video_key(key)
    return {
        "platform": platform,
        "creator_id": creator_id,
        "role": role,
        "derivatives": derivatives,
    }
