"""Which works are suspected to be pushed: looked for at every look, told once, discounted.

A suspicion (models/integrity.py) holds until most acts are not of young accounts any more, and is
told once in an episode of the work; in a later one only when as many young accounts again have
acted as make a push. Meanwhile the work counts for less in rates and ranks, by the share of its
acts that bear the signs: what emerges, is confirmed, and stands on the board is judged by the rest.
Of a video that has signs by itself a forecast counts for less in the same way.
"""

import json
from collections.abc import Container
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.account_signs import LEAST_ACTS
from models.integrity import Sign, Suspicion, suspicion_of, young_acts
from models.roll_up import RollUp
from models.work_participation import WorkParticipation
from models.works import Work

PREFIX: Final = b"integrity/"
"""Of its key in the changelog."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class Suspect:
    """What is remembered of a work that has been suspected.

    Attributes:
        episode: In which it was told.
        young: Acts of young accounts by then.
        holds: Whether it still is.
        discount: The share of its acts that are not counted, as of the last look.
    """

    episode: int
    young: int
    holds: bool
    discount: float


class WorkIntegrity:
    """Suspicions about works.

    Args:
        roll_up: The works.
        participation: Who takes part in them.
    """

    def __init__(self, roll_up: RollUp, participation: WorkParticipation) -> None:
        self._roll_up = roll_up
        self._participation = participation
        self._suspects: dict[str, Suspect] = {}
        self._discounts = np.zeros(0)

    def look(self) -> list[tuple[Work, Suspicion]]:
        """Look at all works; return those to be told, by id."""
        works, leads = self._candidates(), self._roll_up.merges.leads
        told = []
        for work, record in zip(works, self._participation.of_works(works), strict=True):
            suspect = self._suspects.get(work.work_id)
            if record is None:
                # What was known of its videos has given way to others.
                self._suspects.pop(work.work_id, None)
            elif self._judge(work, suspicion := suspicion_of(record), suspect) and leads(work):
                told.append((work, suspicion))
        self._note_discounts()
        return told

    def _candidates(self) -> list[Work]:
        """Return works of which enough acts are by young accounts, and suspects, by id."""
        by_slot, by_id = self._roll_up.works.by_slot, self._roll_up.works.by_id
        found = {work_id for work_id in self._suspects if work_id in by_id}
        if len(self._participation):
            slots, numbers = self._participation.members()
            young, of = young_acts(self._participation.ages(numbers))
            young = np.bincount(slots, young, len(by_slot))
            of = np.bincount(slots, of, len(by_slot))
            self._add_up(young, of)
            likely = np.flatnonzero((of >= LEAST_ACTS) & (2 * young > of)).tolist()
            found |= {work.work_id for slot in likely if (work := by_slot[slot]) is not None}
        return [by_id[work_id] for work_id in sorted(found)]

    def _add_up(self, young: npt.NDArray[Any], of: npt.NDArray[Any]) -> None:
        """Let each topic have the acts under all names of its work, at the most, in place."""
        merged, by_slot = self._roll_up.merged, self._roll_up.works.by_slot
        slots = merged.slots()
        named = [
            [name.slot for name in merged.named(work)]
            for slot in slots.tolist()
            if (work := by_slot[slot]) is not None
        ]
        for counts in (young, of):
            counts[slots] = [counts[names].sum() for names in named]

    def _judge(self, work: Work, suspicion: Suspicion, suspect: Suspect | None) -> bool:
        """Take in what speaks for coordination now; return whether it is to be told."""
        young = suspicion.signs[Sign.YOUNG_ACCOUNTS][0]
        episode = work.number("episode")
        if suspect is not None:
            suspect.holds = suspicion.suspected or (suspect.holds and not suspicion.cleared)
            suspect.discount = suspicion.discount if suspect.holds else 0.0
            if episode == suspect.episode or young < suspect.young + LEAST_ACTS:
                return False
        if not suspicion.suspected:
            return False
        self._suspects[work.work_id] = Suspect(episode, young, True, suspicion.discount)
        return True

    def _note_discounts(self) -> None:
        self._discounts = np.zeros(0)
        by_id = self._roll_up.works.by_id
        held = {
            by_id[work_id].slot: one.discount
            for work_id, one in self._suspects.items()
            if one.discount and work_id in by_id
        }
        if held:
            self._discounts = np.zeros(max(held) + 1)
            self._discounts[list(held)] = list(held.values())

    def forget_all_but(self, works: Container[str]) -> None:
        """Forget works that are no longer among these."""
        for work_id in [work_id for work_id in self._suspects if work_id not in works]:
            del self._suspects[work_id]
        self._note_discounts()

    # -- what follows -------------------------------------------------------------------------

    def suspects(self, work_id: str) -> bool:
        """Tell whether a work is suspected."""
        suspect = self._suspects.get(work_id)
        return suspect is not None and suspect.holds

    def of(self, work: Work) -> dict[str, Any]:
        """Return `integrity` of a work for an alert or the board; nothing where all is well."""
        suspect = self._suspects.get(work.work_id)
        if suspect is None or not suspect.holds:
            return {}
        return _said(suspect.discount)

    def of_video(self, key: str) -> dict[str, Any]:
        """Return `integrity` of a video for an alert; nothing where all is well."""
        kept = self.kept_of_video(key)
        return {} if kept == 1 else _said(1 - kept)

    def kept(self, slots: Ints) -> Floats:
        """Return float64[n]: the share of what some works have that counts, from 0 to 1."""
        kept = np.ones(len(slots))
        if len(self._discounts):
            known = slots < len(self._discounts)
            kept[known] -= self._discounts[slots[known]]
        return kept

    def kept_of_video(self, key: str) -> float:
        """Return the share of a video's acts that counts, from 0 to 1."""
        record = self._participation.of_video(key)
        if record is None:
            return 1.0
        # Most are told apart by their ages alone, at a tenth of the cost.
        young, of = young_acts(record[0]["accounts"][0]["ages"].astype(np.int64))
        if of < LEAST_ACTS or 2 * young <= of:
            return 1.0
        suspicion = suspicion_of(record)
        return 1.0 - suspicion.discount if suspicion.suspected else 1.0

    # -- the changelog ------------------------------------------------------------------------

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Return key and value of what is remembered."""
        stored = {work_id: asdict(self._suspects[work_id]) for work_id in sorted(self._suspects)}
        return [(PREFIX, json.dumps(stored, ensure_ascii=False).encode())]

    def load(self, _key: bytes, value: bytes) -> None:
        """Take back one of `rows`; `recovered` follows once the works have recovered.

        Raises:
            ValueError: It is damaged.
        """
        stored = json.loads(value)
        self._suspects = {work_id: Suspect(**one) for work_id, one in stored.items()}

    def recovered(self) -> None:
        """Finish recovery, once the works have recovered."""
        self._note_discounts()


def _said(discount: float) -> dict[str, Any]:
    return {"integrity": {"suspected": True, "discounted_share": round(discount, 3)}}
