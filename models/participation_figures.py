"""What an alert says of who takes part in a work: figures, and the most telling of them in words.

A figure is told where LEAST or more are behind it (models/depth.py); shares of estimates never
leave 0 to 1. People are named by nothing but the keyed hash of their id, and only those through
whom many were led (design 5.5).
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.depth import LEAST, DepthIndex, comments_of, share_of
from models.guidance_rules import ELITE_CODES
from models.parameters import SECOND_MS
from models.people_sample import distinct_people
from models.undecided_details import region_name
from models.vocabulary import ROLES, Role

NAMED: Final = 3
"""Key nodes and regions that are named: the most frequent ones."""

_MINUTE_S: Final = 60
_ORDINARY: Final = ROLES.index(Role.ORDINARY)

Record = npt.NDArray[np.void]


def participation_figures(record: Record, depth: DepthIndex | None) -> dict[str, Any]:
    """Return what is known, JSON-ready, with `why` in words; empty where too little is.

    Args:
        record: PARTICIPATION[1], of a work's videos merged.
        depth: That of the record (depth.depth_of): shares that are components of it, too.
    """
    one = record[0]
    components = {} if depth is None else depth.components
    said = _people(record, components) | _roles(one)
    for name, figures in (
        ("dialogue", _dialogue(one, components)),
        ("response", _response(one, components)),
        ("key_nodes", _key_nodes(one)),
        ("regions", _regions(one, components)),
        ("attention", _attention(one)),
    ):
        if figures:
            said[name] = figures
    if said:
        said["why"] = _words(said)
    return said


def _people(record: Record, components: dict[str, float]) -> dict[str, Any]:
    people, error = distinct_people(record[0]["people"])
    said: dict[str, Any] = {}
    if people:
        said = {"people": round(people), "people_relative_error": round(error, 2)}
    for name, component in (("deepened_share", "deepening"), ("returned_share", "persistence")):
        if component in components:
            said[name] = round(components[component], 3)
    return said


def _roles(one: np.void) -> dict[str, Any]:
    """Shares of the acts of interaction and diffusion, and the effective number of roles.

    That is Hill's number of order 2, the inverse of Simpson's index (M. Hill, "Diversity and
    evenness", Ecology 54 (2), 1973): roles that share evenly count as many as they are.
    """
    acts = np.maximum(one["deeds"].sum(axis=1), 0)
    total = int(acts.sum())
    if total < LEAST:
        return {}
    shares = acts / total
    return {
        "acts": total,
        "by_role": {
            ROLES[code].value: round(float(shares[code]), 4)
            for code in np.flatnonzero(acts).tolist()
        },
        "roles_effective": round(float(1 / (shares**2).sum()), 2),
    }


def _dialogue(one: np.void, components: dict[str, float]) -> dict[str, Any]:
    dialogue = one["dialogue"][0]
    if comments_of(one) < LEAST:
        return {}
    said = {
        "comments": comments_of(one),
        "replies": int(dialogue["replies"]),
        "reply_share": round(components.get("dialogue", 0.0), 3),
        "deepest_thread": int(dialogue["deepest"]),
    }
    if (placed := share_of(dialogue["placed"], dialogue["replies"])) is not None:
        said["placed_share"] = round(placed, 3)
    if "weak_ties" in components:
        said["weak_ties_share"] = round(components["weak_ties"], 3)
    return said


def _response(one: np.void, components: dict[str, float]) -> dict[str, Any]:
    dialogue = one["dialogue"][0]
    if "response" not in components:
        return {}
    answered = int(dialogue["answered"])
    said = {"answered": answered, "answered_share": round(components["response"], 4)}
    if answered:
        delay_s = int(dialogue["answer_delay_s"]) / answered
        said["mean_delay_minutes"] = round(delay_s / _MINUTE_S, 1)
    return said


def _key_nodes(one: np.void) -> dict[str, Any]:
    """Through whom people were led here, each with the least and the most it can be."""
    led = int(one["led"])
    if led < LEAST:
        return {}
    counters = _foremost(one["key_nodes"])
    least = counters["count"].astype(np.int64) - counters["error"]
    return {
        "led": led,
        "share_of_foremost": round(min(int(least.sum()) / led, 1.0), 3),
        "foremost": [
            {"actor": f"{int(one['key']):016x}", "least": int(low), "most": int(one["count"])}
            for one, low in zip(counters, least.tolist(), strict=True)
        ],
    }


def _regions(one: np.void, components: dict[str, float]) -> dict[str, Any]:
    if "regions" not in components:
        return {}
    located = int(one["located"])
    counters = _foremost(one["regions"])
    least = counters["count"].astype(np.int64) - counters["error"]
    names = [region_name(int(one["key"]), int(one["rest"])) for one in counters]
    return {
        "located": located,
        "diversity": round(components["regions"], 3),
        "foremost": [
            {"region": name, "share": round(min(count / located, 1.0), 3)}
            for name, count in zip(names, least.tolist(), strict=True)
        ],
    }


def _attention(one: np.void) -> dict[str, Any]:
    watches = int(one["watches"])
    if watches < LEAST:
        return {}
    return {
        "watched": watches,
        "mean_seconds": round(int(one["watch_ms"]) / watches / SECOND_MS, 1),
    }


def _foremost(counters: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Return the NAMED counters that surely occurred most, of those that did."""
    used = counters[counters["count"] > counters["error"]]
    least = used["count"].astype(np.int64) - used["error"]
    return used[np.lexsort((used["rest"], used["key"], -least))[:NAMED]]


# -- in words ---------------------------------------------------------------------------------


def _words(said: dict[str, Any]) -> list[str]:
    """Return what is telling in words: at most one line for each kind of figure."""
    words = []
    if "by_role" in said:
        words += _words_of_roles(said)
    if "dialogue" in said:
        words += _words_of_dialogue(said["dialogue"])
    if "response" in said and said["response"]["answered"]:
        response = said["response"]
        words.append(
            f"the creator or a brand answered {_percent(response['answered_share'])} of the "
            f"comments, after {response['mean_delay_minutes']} minutes on average"
        )
    if "deepened_share" in said:
        words.append(
            f"{_percent(said['deepened_share'])} moved up to a deeper act than their first"
        )
    if "returned_share" in said:
        words.append(f"{_percent(said['returned_share'])} came back on another day")
    if "key_nodes" in said and (named := said["key_nodes"]["foremost"]):
        share = _percent(said["key_nodes"]["share_of_foremost"])
        words.append(f"{len(named)} accounts led {share} or more of those who came by a share")
    if "regions" in said and (named := said["regions"]["foremost"]):
        most = ", ".join(f"{one['region']} ({_percent(one['share'])})" for one in named)
        words.append(f"most come from {most}")
    return words


def _words_of_roles(said: dict[str, Any]) -> list[str]:
    elites = [ROLES[code].value for code in ELITE_CODES if ROLES[code].value in said["by_role"]]
    others = 1 - said["by_role"].get(ROLES[_ORDINARY].value, 0.0)
    if not elites:
        return []
    return [f"{', '.join(elites)} take part; {_percent(others)} of acts are not of ordinary people"]


def _words_of_dialogue(dialogue: dict[str, Any]) -> list[str]:
    words = f"{_percent(dialogue['reply_share'])} of {dialogue['comments']} comments are replies"
    if dialogue["deepest_thread"] > 1:
        words += f", in threads of up to {dialogue['deepest_thread']} steps"
    if "weak_ties_share" in dialogue:
        words += f"; {_percent(dialogue['weak_ties_share'])} of exchanges join strangers"
    return [words]


def _percent(share: float) -> str:
    """Return a share in words, never rounded to nothing.

    >>> _percent(0.256), _percent(0.004), _percent(0.0)
    ('26 %', '0.4 %', '0 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.01 or not share else f"{100 * share:.1g} %"
