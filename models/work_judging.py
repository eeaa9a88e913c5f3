"""Which works emerge and which are confirmed: judged after each bucket that let them grow.

Of a work that is suspected to be pushed so much is left out as the suspicion is about
(models/work_integrity.py): neither does it emerge by that, nor does it reach the level.
"""

import numpy as np
import numpy.typing as npt

from models import forecast
from models.alert_budget import score_of
from models.hotspot_alerts import AlertWriter
from models.parameters import Parameters
from models.roll_up import RollUp
from models.spending import Spending
from models.work_integrity import WorkIntegrity
from models.work_outlook import WorkOutlook
from models.works import TOPIC, Work, deep

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class WorkJudge:
    """Tells that works emerge or are confirmed.

    Args:
        parameters: The level and the alert level of the forecast.
        roll_up: The works.
        integrity: What of them counts.
        outlook: What comes next of topics.
        spending: The budget of alerts.
        alerts: Where what there is to tell is written down.
    """

    def __init__(
        self,
        parameters: Parameters,
        roll_up: RollUp,
        integrity: WorkIntegrity,
        outlook: WorkOutlook,
        spending: Spending,
        alerts: AlertWriter,
    ) -> None:
        self._parameters = parameters
        self._roll_up = roll_up
        self._integrity = integrity
        self._outlook = outlook
        self._spending = spending
        self._alerts = alerts

    def judge(self, slots: Ints) -> None:
        """Tell what there is to tell of some works that have grown, by id.

        Args:
            slots: int64[n], of works.
        """
        likely = self.forecast(slots)
        level = self._parameters.level.count
        works = self._roll_up.merged.rows(slots)
        progress = (_progress(works) * self._integrity.kept(slots)).astype(np.int64)
        emerging = likely >= self._parameters.emerging_probability
        own = self._roll_up.works.rows[slots]
        emerging &= ~own["told"] | bool(self._roll_up.budget)
        confirmed = (progress >= level) & deep(works) & ~own["confirmed"]
        found = np.flatnonzero(emerging | confirmed).tolist()
        judged = [(self._work_at(int(slots[at])), at) for at in found]
        for work, at in sorted(judged, key=lambda pair: pair[0].work_id):
            if emerging[at]:
                self._take_forecast(work, float(likely[at]), int(progress[at]))
            if confirmed[at]:
                self._confirm(work, int(progress[at]))

    def look(self, parted: list[str]) -> None:
        """Judge works with several names by all of them, and what was parted by its own.

        Args:
            parted: Ids of the topics that are no longer one with others.
        """
        by_id = self._roll_up.works.by_id
        works = [by_id[name] for name in parted if name in by_id]
        alone = self.forecast(np.array([work.slot for work in works], np.int64))
        for work, likely in zip(works, alone.tolist(), strict=True):
            row = work.row
            # What was told of it stays told.
            row["emerging"] &= bool(row["told"]) or likely >= self._parameters.emerging_probability
            self._roll_up.works.touch(work)
        self.judge(self._roll_up.merged.slots())

    def ended(self, work: Work, bucket: int) -> None:
        """Tell that the activity of a work collapsed in a bucket, and end its episode.

        Of a work that lives on under another name, that name goes on and fades for it.
        """
        row = work.row
        if work.kind == TOPIC and (row["told"] or row["confirmed"]):
            names = self._roll_up.merges.others(work.work_id)
            living = [name for name in names if not name.row["resting"]]
            if not living:
                self._alerts.work_faded(work, bucket)
            for name in living[:1]:
                name.row["told"] = bool(name.row["told"] or row["told"])
                name.row["confirmed"] = bool(name.row["confirmed"] or row["confirmed"])
                self._roll_up.works.touch(name)
        self._outlook.ended(work, (bucket + 1) * self._parameters.bucket_ms - 1)
        work.fade()

    def _is_told_as(self, work: Work, flag: str) -> bool:
        """Tell whether a topic was told under another name of the same work, as this flag says."""
        return any(name.row[flag] for name in self._roll_up.merges.others(work.work_id))

    def _confirm(self, work: Work, progress: int) -> None:
        if self._is_told_as(work, "confirmed"):
            return
        work.row["confirmed"] = True
        ahead = self._outlook.of(work, progress) if work.kind == TOPIC else {}
        self._alerts.work_confirmed(work, progress, ahead)
        if work.kind == TOPIC:
            self._outlook.note(work, progress)

    def _take_forecast(self, work: Work, probability: float, progress: int) -> None:
        row = work.row
        row["emerging"] = True
        if work.kind != TOPIC:
            row["told"] = True
            return
        if self._is_told_as(work, "told"):
            return
        budget = self._roll_up.budget
        score = score_of(probability, progress, self._parameters.level.count)
        before = int(row["offered"])
        row["offered"] = budget.reach(before, score)
        if row["told"] or (budget and row["offered"] <= before):
            return
        self._outlook.emerging(work)
        told = self._spending.affords(score)
        if told:
            row["told"] = True
            more = self._outlook.of(work, progress) | self._spending.figures(score)
            self._alerts.work_emerging(work, progress, more)
            self._spending.spend(work.work_id, work.number("last_bucket"))
        else:
            last_ms = work.number("last_ms")
            self._spending.withhold(work.work_id, work.title, last_ms, probability, score)
        if told or before == 0:
            self._outlook.note(work, progress)

    def forecast(self, slots: Ints) -> Floats:
        """Work out the probabilities of some works anew: float64[n].

        Args:
            slots: int64[n], of works.
        """
        works, kept = self._roll_up.merged.rows(slots), self._integrity.kept(slots)
        likely = forecast.probability(
            _progress(works) * kept,
            works["pace_fast_per_hour"] * kept,
            works["pace_slow_per_hour"] * kept,
            np.maximum(works["last_ms"] - works["episode_ms"], 0).astype(np.float64),
            self._parameters.level.count,
        )
        likely = np.where(works["resting"], 0.0, likely)
        self._roll_up.works.rows["probability"][slots] = likely
        return likely

    def _work_at(self, slot: int) -> Work:
        work = self._roll_up.works.by_slot[slot]
        if work is None:
            raise LookupError(f"no work in slot {slot}")
        return work


def _progress(works: npt.NDArray[np.void]) -> Ints:
    """Return int64[n]: the progress of the episodes of some works."""
    return np.asarray(np.maximum(works["progress"] - works["progress_before_episode"], 0))
