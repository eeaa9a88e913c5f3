"""What `hotspots` says of videos and works, word for word: the data of its alerts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models import forecast
from models.alerts import Alert, AlertType, rfc3339
from models.creators import follower_gain
from models.derivatives import MOST_DERIVATIVES
from models.discoveries import Discoveries
from models.identity import split_video_key
from models.integrity import Suspicion
from models.lineage import lineage_of
from models.makers import makers_of
from models.measured_actions import ActionEffect, MeasuredActions
from models.parameters import Parameters
from models.roll_up import RollUp
from models.screening import cautions
from models.tracked_videos import TrackedVideo, creator_key, shown
from models.vocabulary import Stage, State
from models.work_depth import WorkDepth
from models.work_integrity import WorkIntegrity
from models.work_voices import WorkVoices
from models.works import TOPIC, Work


@dataclass(frozen=True, slots=True)
class WorksKnown:
    """What is known of works besides their numbers.

    Attributes:
        voices: What is said in them.
        depth: Who takes part, and how deep they go.
        integrity: Which are suspected to be pushed.
    """

    voices: WorkVoices
    depth: WorkDepth
    integrity: WorkIntegrity

    def of(self, work: Work) -> dict[str, Any]:
        """Return what an alert says of a work, JSON-ready."""
        said = self.voices.resonance(work.work_id) | self.depth.told(work)
        return said | self.integrity.of(work)


class AlertWriter:
    """Writes the alerts of one step.

    Args:
        parameters: The level, the horizon and the promised rates, which stand in the alerts.
        roll_up: The works and videos that are spoken of.
        known: What is known of the works.
        discoveries: Which videos were discovered in the latest epoch.
        actions: What people did about them.
        tell: Where alerts go.
    """

    def __init__(
        self,
        parameters: Parameters,
        roll_up: RollUp,
        known: WorksKnown,
        discoveries: Discoveries,
        actions: MeasuredActions,
        tell: Callable[[Alert], None],
    ) -> None:
        self._parameters = parameters
        self._roll_up = roll_up
        self._known = known
        self._discoveries = discoveries
        self._actions = actions
        self._tell = tell

    # -- videos -------------------------------------------------------------------------------

    def transition(
        self, tracked: TrackedVideo, transition: Mapping[str, Any], more: Mapping[str, Any]
    ) -> None:
        """Tell a transition of a video, and `more`: what comes next."""
        data = self._data_of(tracked) | {
            name: transition[name]
            for name in ("stage", "state", "route", "episode", "juncture", "signal", "reason")
        }
        data["figures"] = transition["figures"]
        data["alarm_rate_per_video_day"] = self._parameters.alarm_rate_per_video_day
        data |= more
        occurrence = "/".join(
            str(transition[name]) for name in ("episode", "stage", "state", "signal")
        )
        faded = transition["state"] == State.FADED
        kind = AlertType.FADED if faded else AlertType.STAGE_ENTERED
        self._tell(Alert(kind, transition["time_ms"], shown(tracked.video), occurrence, data))

    def video_burst(
        self,
        tracked: TrackedVideo,
        transition: Mapping[str, Any],
        numbers: np.void,
        more: Mapping[str, Any],
    ) -> None:
        """Tell a burst of a video that has long been loud; `more` is what the budget says."""
        data = self._data_of(tracked) | {
            name: transition[name] for name in ("stage", "route", "episode", "signal", "reason")
        }
        data |= {"probability": round(float(numbers["probability"]), 4)}
        data["figures"] = transition["figures"]
        data |= more
        time_ms = int(transition["time_ms"])
        occurrence = f"{time_ms}/{transition['signal']}"
        self._tell(Alert(AlertType.EMERGING, time_ms, shown(tracked.video), occurrence, data))

    def video_emerging(
        self,
        tracked: TrackedVideo,
        numbers: np.void,
        probability: float,
        more: Mapping[str, Any],
    ) -> None:
        """Tell that a video will probably reach the level.

        Args:
            tracked: The video.
            numbers: Its row, of REPORT.
            probability: That it does, as far as its acts count.
            more: What else to say: what spoke for the forecast, what comes next, the budget.
        """
        data = self._data_of(tracked) | self._emerging_data(
            probability,
            int(numbers["episode_progress"]),
            float(numbers["views_per_hour"]),
        )
        data["stage"] = Stage(int(numbers["stage"])).name.lower()
        data |= more
        time_ms = int(numbers["last_ms"])
        self._tell(Alert(AlertType.EMERGING, time_ms, shown(tracked.video), str(time_ms), data))

    def _emerging_data(self, probability: float, progress: int, per_hour: float) -> dict[str, Any]:
        level = self._parameters.level
        reached = progress >= level.count
        return {
            "probability": round(probability, 4),
            "level": str(level),
            "horizon_ms": self._parameters.horizon_ms,
            "reason": "level_reached" if reached else "forecast_above_alert_level",
            "figures": {
                f"{level.action}s": progress,
                "activity_per_hour": round(per_hour, 1),
                "alert_probability": self._parameters.emerging_probability,
            },
        }

    def _data_of(self, tracked: TrackedVideo) -> dict[str, Any]:
        platform, video_id = split_video_key(tracked.video)
        data: dict[str, Any] = {"video_id": video_id, "platform": platform}
        topics = [w.title for w in self._roll_up.works_of(tracked) if w.kind == TOPIC]
        if topics:
            data["topic"] = topics[0]
            data["topics"] = topics
        if tracked.title:
            data["title"] = tracked.title
        if tracked.creator_id:
            data["creator_id"] = tracked.creator_id
        if tracked.vertical:
            data["vertical"] = tracked.vertical
        data |= self._known.integrity.of_video(tracked.video)
        said = self._screening_of([tracked.video]) | self._discoveries.of(tracked.video)
        return data | said | self._acted(tracked.video)

    def _acted(self, subject: str) -> dict[str, Any]:
        """Return what people did about a video (its key) or a work; nothing where they did not."""
        actions = self._actions.on(subject)
        return {"actions": actions} if actions else {}

    def effect(self, found: ActionEffect) -> None:
        """Tell what an action did, or that it cannot be measured."""
        action = found.action
        subject = action.subject
        tracked, work = self._roll_up.tracked.get(subject), self._roll_up.works.by_id.get(subject)
        if tracked is not None:
            data = self._data_of(tracked)
        elif work is not None:
            data = self._work_data(work)
        elif action.is_about_topic:
            data = {"topic": subject.partition(":")[2], "platform": ""}
        else:
            data = dict(zip(("platform", "video_id"), split_video_key(subject), strict=True))
        data.pop("actions", None)
        taken = action.to_dict() | {"taken_at": rfc3339(action.taken_at_ms)}
        data |= {"guidance_level": action.level, "action": taken} | found.said
        kind = AlertType.GUIDANCE_EFFECT
        shown_subject, occurrence = action.shown_subject, action.action_id
        self._tell(Alert(kind, found.time_ms, shown_subject, occurrence, data))

    def _screening_of(self, videos: Sequence[str]) -> dict[str, Any]:
        """Return `screening` of some videos for an alert; nothing where none is flagged."""
        flagged = self._roll_up.screened(dict.fromkeys(videos))
        said = [flag.figures() | {"video": shown(video)} for video, flag in flagged]
        return {"screening": said} if said else {}

    # -- works --------------------------------------------------------------------------------

    def work_emerging(self, work: Work, progress: int, more: Mapping[str, Any]) -> None:
        """Tell that a work will probably reach the level, and `more`."""
        row = self._roll_up.merged.of(work).row
        data = self._work_data(work) | self._emerging_data(
            float(row["probability"]), progress, float(row["heat"])
        )
        data["model"] = forecast.NAME
        data["signals"] = forecast.signals(
            progress,
            float(row["pace_fast_per_hour"]),
            float(row["pace_slow_per_hour"]),
            max(int(row["last_ms"] - row["episode_ms"]), 0),
            self._parameters.level.count,
        )
        data |= more
        self._tell_work(AlertType.EMERGING, work, data, work.number("last_ms"))

    def work_confirmed(self, work: Work, progress: int, more: Mapping[str, Any]) -> None:
        """Tell that a work has reached the level, with depth, and `more`."""
        level = self._parameters.level
        data = self._work_data(work) | {
            "reason": "level_reached_with_depth",
            "level": str(level),
            "probability": 1.0,
            "figures": {
                f"{level.action}s": progress,
                "stages": [s.name.lower() for s in self._roll_up.merged.of(work).stages],
            },
        }
        data |= more
        made = self._lineage_of(work, work.number("last_ms"))
        data |= {"lineage": made} if made else {}
        data |= self._known.depth.cultural(work)
        self._tell_work(AlertType.CONFIRMED, work, data, work.number("last_ms"))

    def guidance(
        self,
        kind: AlertType,
        work: Work,
        time_ms: int,
        occurrence: str,
        said: Mapping[str, Any],
        recommended: Sequence[str] = (),
    ) -> None:
        """Tell what can be done about a work.

        Args:
            kind: Of guidance.
            work: What it is about.
            time_ms: Event time.
            occurrence: What distinguishes it from others of its kind in the work's episode.
            said: Reason, level, urgency, suggestion and figures.
            recommended: Keys of videos that it recommends, or comments under them: the suggestion
                says so when one of them is flagged.
        """
        data = self._work_data(work) | dict(said)
        flagged = self._roll_up.screened(dict.fromkeys(recommended))
        if warned := cautions(flag for _, flag in flagged):
            data["suggestion"] = f"{said['suggestion']} {warned}"
        data |= self._screening_of([self._roll_up.lead_of(work), *recommended])
        made = self._lineage_of(work, time_ms)
        data |= {"lineage": made} if made else {}
        occurrence = f"{work.number('episode')}/{occurrence}"
        self._tell(Alert(kind, time_ms, work.work_id, occurrence, data))

    def coordinated_push(self, work: Work, suspicion: Suspicion, time_ms: int) -> None:
        """Tell that a work is suspected to be pushed by accounts that act together."""
        data = self._work_data(work) | {
            "reason": "coordinated_push_suspected",
            "why": suspicion.why(),
            "figures": suspicion.figures(),
        }
        self._tell_work(AlertType.COORDINATED_PUSH, work, data, time_ms)

    def _lineage_of(self, work: Work, now_ms: int) -> dict[str, Any]:
        """Return what was made of a work, JSON-ready; nothing where nothing was."""
        tracked = self._roll_up.tracked
        made = tracked.derivatives_of(work.work_id, MOST_DERIVATIVES)
        if not made:
            return {}
        return lineage_of(made, tracked, now_ms).figures() | {"makers": makers_of(made, tracked)}

    def work_faded(self, work: Work, bucket: int) -> None:
        """Tell that the activity of a work collapsed in a bucket."""
        bucket_ms = self._parameters.bucket_ms
        figures = {
            "activity_per_hour": round(work.heat_at(bucket, bucket_ms), 2),
            "peak_per_hour": round(float(work.row["peak_heat"]), 2),
        }
        data = self._work_data(work) | {"reason": "activity_collapsed", "figures": figures}
        self._tell_work(AlertType.FADED, work, data, (bucket + 1) * bucket_ms - 1)

    def _work_data(self, work: Work) -> dict[str, Any]:
        one = self._roll_up.merged.of(work)
        lead = self._roll_up.lead_of(one)
        platform, video_id = split_video_key(lead)
        data: dict[str, Any] = {"platform": platform, "platforms": sorted(one.platforms)}
        tracked = self._roll_up.tracked.get(lead)
        if tracked is not None and tracked.vertical:
            data["vertical"] = tracked.vertical
        data["take_up"] = one.take_up()
        names = self._roll_up.merges.also_known_as(work.work_id)
        data |= {"topic": work.title} if work.kind == TOPIC else {"video_id": video_id}
        return (
            data
            | {
                "lead_video_id": video_id,
                "videos": one.number("videos"),
                "views": one.number("views"),
                "stage": one.stage,
                "route": one.route,
                "episode": work.number("episode"),
            }
            | ({"also_known_as": names} if names else {})
            | self._screening_of([lead])
            | self._known.of(work)
            | self._followers_of(one)
            | self._acted(work.work_id)
        )

    def _followers_of(self, work: Work) -> dict[str, Any]:
        """Return what the creator of a work's most viewed video has won since it began."""
        tracked = self._roll_up.tracked
        lead = tracked.get(self._roll_up.lead_of(work))
        if lead is None:
            return {}
        gain = follower_gain(tracked.made_by(creator_key(lead)), work.number("first_ms"))
        return (
            {"creator_followers": {"creator_id": lead.creator_id} | gain.figures()} if gain else {}
        )

    def _tell_work(self, kind: AlertType, work: Work, data: dict[str, Any], time_ms: int) -> None:
        self._tell(Alert(kind, time_ms, work.work_id, str(work.number("episode")), data))
