"""The truth about the mechanisms that the scenario sets to work, and when."""

from collections.abc import Mapping, Sequence
from typing import Final

from streams.scenarios import case, derivatives, incidents, judged_anew, museum_nights
from streams.scenarios import figures as f
from streams.scenarios.truth import Mechanism, PlantedMechanism

WORK: Final = f"topic:{f.TOPIC}"


def planted_mechanisms(
    episodes: Sequence[case.Episode], derived_ms: Mapping[str, int]
) -> list[PlantedMechanism]:
    """Return what was planted beside the stages.

    Args:
        episodes: Those of the drama.
        derived_ms: By platform, when the first derivative was published there.
    """
    at = Mechanism
    disputed_ms = judged_anew.DISPUTED_EXCLUSION_MS
    again_ms = judged_anew.REDISCOVERED_AGAIN_MS + judged_anew.REDISCOVERED_JUDGED_AFTER_MS
    return [
        *_of_video(judged_anew.DISPUTED, disputed_ms, at.CONTROVERSY, at.NEGATIVE_VALUE),
        *_of_video(incidents.EXCLUDED, incidents.EXCLUDED_JUDGMENT_MS, at.NEGATIVE_VALUE),
        *_of_video(judged_anew.REJECTED, judged_anew.REJECTED_JUDGMENT_MS, at.NEGATIVE_VALUE),
        *_of_video(judged_anew.REJECTED, judged_anew.REJECTED_UNTIL_MS, at.INTERRUPTION),
        *_of_video(incidents.IGNORED, incidents.IGNORED_UNTIL_MS, at.INTERRUPTION),
        *_of_video(judged_anew.REDISCOVERED, again_ms, at.REVIVAL),
        PlantedMechanism(at.HOMOGENISATION, WORK, derivatives.NEAR_COPIES_FROM),
        *(
            PlantedMechanism(at.ELITE_ENTRY, WORK, time_ms, role.value)
            for role, time_ms in case.ELITES_ENTER_MS.items()
        ),
        *_taken_up(episodes, derived_ms),
        PlantedMechanism(
            at.ACTION,
            "/".join(museum_nights.GUIDED),
            museum_nights.ACTED_MS,
            f"seen {museum_nights.FACTOR} times as much",
        ),
        PlantedMechanism(at.PUSH, f"topic:{incidents.BOT_TAG}", incidents.BOTS_FROM_MS),
    ]


def _of_video(
    video: tuple[str, str], time_ms: int, *mechanisms: Mechanism
) -> list[PlantedMechanism]:
    return [PlantedMechanism(mechanism, "/".join(video), time_ms) for mechanism in mechanisms]


def _taken_up(
    episodes: Sequence[case.Episode], derived_ms: Mapping[str, int]
) -> list[PlantedMechanism]:
    """Return when each platform but the first took the work up."""
    since_ms = dict(derived_ms)
    for episode in episodes:
        known_ms = since_ms.get(episode.platform, episode.released_ms)
        since_ms[episode.platform] = min(known_ms, episode.released_ms)
    first = min(since_ms, key=lambda platform: since_ms[platform])
    return [
        PlantedMechanism(Mechanism.TAKE_UP, WORK, time_ms, platform)
        for platform, time_ms in since_ms.items()
        if platform != first
    ]
