"""docs/events.md tells platforms everything that models/events.py holds them to."""

import re
from pathlib import Path

import pytest

from models.events import (
    COUNT_MAX,
    EARLIEST_MS,
    FIELDS,
    NAME_CHARACTERS_MAX,
    NAMES_MAX,
    NESTING_MAX,
    PROFILE_FIELDS,
    RETRACTABLE,
    TITLE_CHARACTERS_MAX,
    DecodingLimits,
    RejectReason,
)
from models.validation import rfc_3339_ms
from models.vocabulary import ACTIONS, ROLES

DOCUMENT = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")


def section(title: str) -> str:
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(title: str) -> list[str]:
    return re.findall(r"^\| `([a-z0-9_]+)` \|", section(title), re.MULTILINE)


def test_every_field_is_documented_in_the_order_of_the_contract() -> None:
    assert first_cells("Fields") == list(FIELDS)


def test_every_reason_is_documented_and_no_other() -> None:
    assert sorted(first_cells("Rejected messages")) == sorted(RejectReason)


def test_every_action_is_documented_once_by_stage() -> None:
    *stages, corrections = [
        line for line in section("Actions").splitlines() if line.startswith("| ") and "`" in line
    ]
    named = [word for line in stages for word in re.findall("`([a-z_]+)`", line)]
    taken_back, others = corrections.split(";")
    retract, *retractable = re.findall("`([a-z_]+)`", taken_back)
    assert [*named, retract, *re.findall("`([a-z_]+)`", others)] == list(ACTIONS)
    assert set(retractable) == RETRACTABLE


def test_every_role_is_documented() -> None:
    assert re.findall("`([a-z]+)`", section("Roles")) == list(ROLES)


def test_every_profile_field_is_a_field_and_documented_as_one() -> None:
    assert set(PROFILE_FIELDS) <= set(FIELDS)
    sentence = re.search(r"^`title`.*?profile of a video", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert sentence is not None
    documented = set(re.findall("`([a-z_]+)`", sentence.group()))
    assert documented == set(PROFILE_FIELDS) - {"source_comment_id"}


def test_the_limits_are_those_of_the_document() -> None:
    limits = DecodingLimits()
    assert limits.message_bytes_max == 8 * 2**20
    assert limits.max_ahead_ms == 10 * 60 * 1_000
    assert rfc_3339_ms("2000-01-01T00:00:00Z") == EARLIEST_MS == limits.earliest_ms
    assert COUNT_MAX == 10**12
    for limit in (NAME_CHARACTERS_MAX, NAMES_MAX, NESTING_MAX, TITLE_CHARACTERS_MAX):
        assert f"{limit:,}" in DOCUMENT


@pytest.mark.parametrize(
    "bounds", [{"max_ahead_ms": -1}, {"earliest_ms": -1}, {"message_bytes_max": 0}]
)
def test_limits_that_let_nothing_through_are_refused(bounds: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="limit"):
        DecodingLimits(**bounds)
