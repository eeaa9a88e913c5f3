"""Who acts: people of each video's own audience, what they say, what is known of them."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from models.vocabulary import Role

POPULATION: Final = 4_000_000
"""People in the scenario. An audience is a stride through them, so audiences overlap as they do."""
_STRIDE: Final = 2_654_435_761
"""Knuth's multiplicative hashing constant: odd and not a multiple of 5, hence it visits
everyone."""

WARM_TEXTS: Final = (
    "看哭了，回家吧",
    "愿所有文物都能早日回家",
    "小玉壶太可爱了",
    "家人们，这才是短剧该有的样子",
    "缠枝纹薄胎玉壶，我们等你",
    "六个月只为三集，respect",
    "What a touching story, bring them home",
    "国宝归来的那天一定会到",
)
COLD_TEXTS: Final = (
    "太离谱了，必须下架",
    "这是在消费大家的感情",
    "举报了，误导观众",
    "看不下去，差评",
    "抄袭还这么理直气壮？",
)
PLAIN_TEXTS: Final = (
    "哈哈哈",
    "学到了",
    "好看",
    "第一",
    "蹲一个后续",
    "这是哪里",
    "不错不错",
    "打卡",
)
REGIONS: Final = ("CN", "HK", "GB", "US", "EG", "GR")
REGION_SHARES: Final = (0.94, 0.02, 0.015, 0.015, 0.005, 0.005)
"""Mostly at home; Egypt and Greece have their own relics in the museum. An assumption."""

DISCUSSION_ROLES: Final = {
    Role.ORDINARY: 0.975,
    Role.CREATOR: 0.015,
    Role.KOL: 0.005,
    Role.MEDIA: 0.002,
    Role.ELITE: 0.001,
    Role.EXPERT: 0.0015,
    Role.OFFICIAL: 0.0005,
}
"""Who discusses a hotspot ("mainstream media, social elites, experts, and scholars"): shares are
an assumption."""

PUBLIC_ROLES: Final[dict[Role, float]] = {
    role: share
    for role, share in DISCUSSION_ROLES.items()
    if role in (Role.ORDINARY, Role.CREATOR, Role.KOL)
}
"""Who discusses what no mainstream media, elites, experts or officials have taken up; the rest of
the shares is that of ordinary people."""

ACCOUNT_AGE_DAYS_MEDIAN: Final = 900.0
FOLLOWERS_MEDIAN: Final = 60.0
"""Accounts of real people: years old, some dozens of followers; lognormal. An assumption."""

Ints = npt.NDArray[np.int64]


def audience_members(rng: np.random.Generator, video: Ints, audience: Ints) -> pl.Series:
    """Draw one person for each event out of the audience of its video.

    Args:
        rng: Where chance comes from.
        video: int64[n], the number of each event's video.
        audience: int64[n], how many people that audience has (at least 1).

    Returns:
        String[n], ids of people.
    """
    place = (rng.random(len(video)) * audience).astype(np.int64)
    person = ((video * 7_919 + place) * _STRIDE) % POPULATION
    return pl.select(pl.format("p{}", pl.Series(person))).to_series()


def comment_fields(
    rng: np.random.Generator,
    prefix: pl.Series,
    number: Ints,
    reply: npt.NDArray[np.bool_],
    texts: tuple[str, ...],
    sentiment: float,
    role_shares: Mapping[Role, float],
    time_ms: Ints,
    enters_ms: Mapping[Role, int],
) -> pl.Series:
    """Return the JSON fields of comments and replies.

    Args:
        rng: Where chance comes from.
        prefix: String[n], the id of each comment's video.
        number: int64[n], running number of the comment on its video.
        reply: bool[n]; a reply answers any earlier comment, as strangers do.
        texts: What is said.
        sentiment: Mean of the sentiment that the platform reports, -1 to 1.
        role_shares: Who comments; what is missing to 1 are ordinary people.
        time_ms: int64[n], when.
        enters_ms: From when on those of a role take part; before, ordinary people do instead.

    Returns:
        String[n], JSON fields without braces.
    """
    n = len(number)
    shares = {Role.ORDINARY: 0.0} | dict(role_shares)
    shares[Role.ORDINARY] = 1.0 - sum(shares.values()) + shares[Role.ORDINARY]
    roles = list(shares)
    role = rng.choice(len(roles), n, p=np.array(list(shares.values())))
    since_ms = np.array([enters_ms.get(each, 0) for each in roles])
    role = np.where(time_ms < since_ms[role], roles.index(Role.ORDINARY), role)
    frame = pl.DataFrame(
        {
            "prefix": prefix,
            "number": number,
            "parent": (rng.random(n) * number).astype(np.int64),
            "answers": reply & (number > 0),
            "text": pl.Series(texts).gather(rng.integers(0, len(texts), n)),
            "mood": np.clip(rng.normal(sentiment, 0.3, n), -1, 1).round(2),
            "region": pl.Series(REGIONS).gather(rng.choice(len(REGIONS), n, p=REGION_SHARES)),
            "role": pl.Series([r.value for r in roles]).gather(role),
            "notable": np.array([r is not Role.ORDINARY for r in roles])[role],
            "age": rng.lognormal(np.log(ACCOUNT_AGE_DAYS_MEDIAN), 0.7, n).astype(np.int64),
            "followers": np.where(
                np.array([r is Role.ORDINARY for r in roles])[role],
                rng.lognormal(np.log(FOLLOWERS_MEDIAN), 1.5, n),
                rng.lognormal(np.log(100_000), 1.0, n),
            ).astype(np.int64),
        }
    )
    return frame.select(
        pl.concat_str(
            pl.format('"comment_id":"{}-c{}"', "prefix", "number"),
            pl.when("answers")
            .then(pl.format(',"parent_id":"{}-c{}"', "prefix", "parent"))
            .otherwise(pl.lit("")),
            pl.format(
                ',"text":"{}","sentiment":{},"actor_region":"{}","actor_age_days":{},"actor_followers":{}',
                "text",
                "mood",
                "region",
                "age",
                "followers",
            ),
            pl.when("notable").then(pl.format(',"actor_role":"{}"', "role")).otherwise(pl.lit("")),
        )
    ).to_series()
