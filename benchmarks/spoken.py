"""What comments say beyond who did what: texts, ids, regions, accounts and roles.

Comments, replies and danmaku are texts, hence all of them have one: SHARES of benchmarks/workload
say how many there are. Comments and replies have ids, and the region of who wrote them, which
platforms in China must show since August 2022 [1]; danmaku have neither. Texts, roles, regions and
accounts are those of the demo (streams/scenarios/people, assumptions there), and texts of danmaku
are as short as they were measured (half of 68,000 have six characters or fewer, one of ten has more
than fifteen). No `sentiment` is given, so every text that is drawn has to be judged.

References:
    [1] Cyberspace Administration of China, "Provisions on the Administration of Internet User
        Account Information", article 12, in force since 2022-08-01.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.vocabulary import Role
from streams.scenarios.event_blocks import json_fields
from streams.scenarios.people import (
    ACCOUNT_AGE_DAYS_MEDIAN,
    COLD_TEXTS,
    DISCUSSION_ROLES,
    FOLLOWERS_MEDIAN,
    PLAIN_TEXTS,
    REGION_SHARES,
    REGIONS,
    WARM_TEXTS,
)

VARIANTS: Final = 256
"""Different comments; a template is made for each."""

SENTENCES_MAX: Final = 3
"""A comment of the workload has one to so many."""

DANMAKU_CHARACTERS_MAX: Final = 15

NOTHING_SAID: Final = -1

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Said:
    """One variant.

    Attributes:
        role: Who says it.
        account: JSON fields of a comment's account, without braces.
        text: What a comment or a reply says.
        danmaku: What a danmaku says.
    """

    role: str
    account: str
    text: str
    danmaku: str


def variants(seed: int) -> list[Said]:
    """Draw VARIANTS of what may be said."""
    dice = np.random.default_rng(seed)
    texts = (*WARM_TEXTS, *COLD_TEXTS, *PLAIN_TEXTS)
    short = [text for text in texts if len(text) <= DANMAKU_CHARACTERS_MAX]
    roles = list(DISCUSSION_ROLES)
    role = dice.choice(len(roles), VARIANTS, p=list(DISCUSSION_ROLES.values()))
    # Rare roles are the first variants, so that each of them occurs.
    role[: len(roles)] = np.arange(len(roles))
    region = dice.choice(len(REGIONS), VARIANTS, p=REGION_SHARES)
    age_days = dice.lognormal(np.log(ACCOUNT_AGE_DAYS_MEDIAN), 0.7, VARIANTS)
    followers = dice.lognormal(np.log(FOLLOWERS_MEDIAN), 1.5, VARIANTS)
    said = []
    for number in range(VARIANTS):
        account = {
            "actor_region": REGIONS[region[number]],
            "actor_age_days": int(age_days[number]),
            "actor_followers": int(followers[number]),
        }
        sentences = dice.choice(len(texts), dice.integers(1, SENTENCES_MAX + 1), replace=False)
        said.append(
            Said(
                role=roles[role[number]].value,
                account=json_fields(account),
                text="，".join(texts[sentence] for sentence in sentences),
                danmaku=short[dice.integers(len(short))],
            )
        )
    return said


def draw(dice: np.random.Generator, speaks: npt.NDArray[np.bool_]) -> Ints:
    """Return int64[n]: which variant each event says, NOTHING_SAID where it says nothing."""
    shares = np.full(VARIANTS, 0.0)
    rare = [share for role, share in DISCUSSION_ROLES.items() if role is not Role.ORDINARY]
    shares[1 : 1 + len(rare)] = rare
    plain = np.r_[0, np.arange(1 + len(rare), VARIANTS)]
    shares[plain] = (1 - sum(rare)) / len(plain)
    said = np.full(len(speaks), NOTHING_SAID)
    said[speaks] = dice.choice(VARIANTS, int(speaks.sum()), p=shares / shares.sum())
    return said


def answered(video: Ints, comments: npt.NDArray[np.bool_]) -> Ints:
    """Return int64[n]: for each comment the one before it on its video, 0 where there is none."""
    at = np.flatnonzero(comments)
    order = at[np.lexsort((at, video[at]))]
    before = np.zeros(len(video), np.int64)
    same = video[order[1:]] == video[order[:-1]]
    before[order[1:][same]] = order[:-1][same]
    return before
