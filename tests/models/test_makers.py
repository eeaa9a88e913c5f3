"""By whom derivatives are made: roles, creators, and nobody ordinary by name."""

from typing import Any

from models.makers import MAKERS_NAMED, makers_of
from models.tracked_videos import TrackedVideo, TrackedVideos


def add(videos: TrackedVideos, name: str, source: str = "", **said: Any) -> TrackedVideo:  # noqa: ANN401 - fields of a profile
    video = videos.add(f"p\x1f{name}")
    videos.describe(video, {"source": f"p\x1f{source}" if source else "", **said})
    videos.relink([video.video])
    return video


def test_roles_and_creators_are_counted_and_only_public_ones_are_named() -> None:
    videos = TrackedVideos()
    add(videos, "v", creator_id="author", creator_role="creator")
    made = [add(videos, f"o{n}", "v", creator_id=f"person{n}") for n in range(4)]
    made += [add(videos, f"k{n}", "v", creator_id="kay", creator_role="kol") for n in range(3)]
    made.append(add(videos, "own", "v", creator_id="author", creator_role="creator"))
    made += [
        add(videos, f"of own{n}", "own", creator_id="prof", creator_role="expert") for n in range(2)
    ]
    made.append(add(videos, "nameless", "v", creator_role="kol"))
    found = makers_of(made, videos)
    assert found == {
        "by_role": {"kol": 4, "ordinary": 4, "expert": 2, "creator": 1},
        "creators": 7,
        "creators_effective": round(10**2 / (4 * 1 + 3**2 + 1 + 2**2), 1),
        "by_source_creator": 1,
        "most": [
            {"platform": "p", "creator_id": "kay", "role": "kol", "derivatives": 3},
            {"platform": "p", "creator_id": "prof", "role": "expert", "derivatives": 2},
        ],
    }
    assert list(found["by_role"]) == ["kol", "ordinary", "expert", "creator"]
    assert "person" not in str(found)


def test_where_no_creator_is_told_roles_are_all_there_is() -> None:
    videos = TrackedVideos()
    made = [add(videos, f"d{n}", "v") for n in range(2)]
    assert makers_of(made, videos) == {"by_role": {"ordinary": 2}}


def test_no_more_are_named_than_there_is_room_for() -> None:
    videos = TrackedVideos()
    made = [
        add(videos, f"d{n}", "v", creator_id=f"c{n // 2}", creator_role="creator")
        for n in range(4 * MAKERS_NAMED)
    ]
    assert [one["creator_id"] for one in makers_of(made, videos)["most"]] == ["c0", "c1", "c2"]


def test_who_publishes_once_as_an_ordinary_person_is_not_named() -> None:
    videos = TrackedVideos()
    made = [
        add(videos, "a", "v", creator_id="c", creator_role="kol"),
        add(videos, "b", "v", creator_id="c"),
    ]
    for order in (made, made[::-1]):
        assert "most" not in makers_of(order, videos)
