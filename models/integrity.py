"""Integrity: whether a work is pushed by accounts that act together.

Coordination shows in several ways at once, no single one of which proves it: the accounts are
young; they act within the same minutes; from one region; led by one account. Suspected is a work
most of whose acts are by young accounts and most of whose acts fall together in one of the other
ways, each share with its lower bound of 95 % above a half. The known attack: 40 posts of bots from
one place within 90 s made a tag trend on 8 of 8 servers of Mastodon.

It is a suspicion for people to look at, with its evidence; nothing is deleted. What is suspected is
discounted: of two signs with shares a and b of all acts, at least a + b - 1 of the acts bear both
(Fréchet's lower bound [3]), and so much less the work counts in rates and ranks.

References:
    [1] E. Ferrara, O. Varol, C. Davis, F. Menczer, A. Flammini, "The Rise of Social Bots",
        Communications of the ACM 59 (7), 2016: age of accounts, timing and origin as signs.
    [2] D. Pacheco et al., "Uncovering Coordinated Networks on Social Media", ICWSM 2021:
        synchronous action and shared sources.
    [3] M. Fréchet, "Généralisation du théorème des probabilités totales", Fundamenta Mathematicae
        25, 1935.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from models.account_signs import BURST_MINUTES, LEAST_ACTS, YOUNG_BINS, YOUNG_DAYS
from models.homogenisation import MAJORITY, wilson_interval
from models.undecided_details import region_name


class Sign(StrEnum):
    """In which way acts fall together: the closed set."""

    YOUNG_ACCOUNTS = "young_accounts"
    SYNCHRONOUS_BURSTS = "synchronous_bursts"
    ONE_REGION = "one_region"
    ONE_SOURCE = "one_source"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What speaks for coordination.

    Attributes:
        acts: Acts of known accounts.
        signs: By sign, how many acts of how many; those known.
        region: Where most acts come from; empty where that is not known.
        without_followers: Acts of accounts that nobody follows, of how many; those known. It is
            evidence for people to look at and no sign: no share is known that only bots reach.
    """

    acts: int
    signs: dict[Sign, tuple[int, int]]
    region: str = ""
    without_followers: tuple[int, int] = (0, 0)

    @property
    def shown(self) -> list[Sign]:
        """The signs that most acts show, with confidence."""
        return [
            sign
            for sign, (found, of) in self.signs.items()
            if of >= LEAST_ACTS and wilson_interval(found, of)[0] > MAJORITY
        ]

    @property
    def suspected(self) -> bool:
        """Whether most are young, and fall together in another way."""
        shown = self.shown
        return Sign.YOUNG_ACCOUNTS in shown and len(shown) > 1

    @property
    def cleared(self) -> bool:
        """Whether most are not young any more."""
        found, of = self.signs[Sign.YOUNG_ACCOUNTS]
        return not of or wilson_interval(found, of)[1] < MAJORITY

    @property
    def discount(self) -> float:
        """The share of acts that bear two of the signs at the least [3], from 0 to 1."""
        young, of = self.signs[Sign.YOUNG_ACCOUNTS]
        others = [
            found / known
            for sign, (found, known) in self.signs.items()
            if sign != Sign.YOUNG_ACCOUNTS and known >= LEAST_ACTS
        ]
        if of < LEAST_ACTS or not others:
            return 0.0
        return max(young / of + max(others) - 1, 0.0)

    def figures(self) -> dict[str, Any]:
        """Return the evidence, JSON-ready."""
        told = {sign.value: shares for sign, shares in self.signs.items()}
        told["without_followers"] = self.without_followers
        shares = {
            name: {"acts": found, "of": of, "share": round(found / of, 3)}
            for name, (found, of) in told.items()
            if of
        }
        return {"acts": self.acts, "signs": [sign.value for sign in self.shown], **shares}

    def why(self) -> list[str]:
        """Return the signs that most acts show, in words."""
        words = {
            Sign.YOUNG_ACCOUNTS: f"are by accounts of less than {YOUNG_DAYS} days",
            Sign.SYNCHRONOUS_BURSTS: f"fall into its {BURST_MINUTES} busiest minutes",
            Sign.ONE_REGION: f"come from one region, {self.region}",
            Sign.ONE_SOURCE: "were led by one account",
        }
        return [
            f"{self.signs[sign][0]} of {self.signs[sign][1]} acts {words[sign]}"
            for sign in self.shown
        ]


def suspicion_of(record: npt.NDArray[np.void]) -> Suspicion:
    """Return what speaks for coordination.

    Args:
        record: PARTICIPATION[1], of a work's videos merged.
    """
    one = record[0]
    accounts = one["accounts"][0]
    minutes = np.concatenate([accounts["busiest"], accounts["now"]])["acts"].astype(np.int64)
    busiest = int(np.sort(minutes)[-BURST_MINUTES:].sum())
    acts = int(accounts["acts"])
    young, of = young_acts(accounts["ages"].astype(np.int64))
    region, in_region = _foremost(one["regions"])
    _, by_node = _foremost(one["key_nodes"])
    located, led = int(one["located"]), int(one["led"])
    followers = accounts["followers"].astype(np.int64)
    return Suspicion(
        acts,
        {
            Sign.YOUNG_ACCOUNTS: (int(young), int(of)),
            Sign.SYNCHRONOUS_BURSTS: (min(busiest, acts), acts),
            Sign.ONE_REGION: (min(in_region, located), located),
            Sign.ONE_SOURCE: (min(by_node, led), led),
        },
        region_name(int(region["key"]), int(region["rest"])),
        (int(followers[0]), int(followers.sum())),
    )


def young_acts(ages: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many acts are by young accounts, and of how many the age is known.

    Args:
        ages: int64[..., AGE_BINS], acts by the age of the account.
    """
    return ages[..., :YOUNG_BINS].sum(axis=-1), ages.sum(axis=-1)


def _foremost(counters: npt.NDArray[np.void]) -> tuple[np.void, int]:
    """Return the counter that surely occurred most, and how often at the least."""
    least = counters["count"].astype(np.int64) - counters["error"]
    at = int(least.argmax())
    return counters[at], int(least[at])
