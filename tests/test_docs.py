"""Documentation cannot drift: what is not written down, or is no longer there, fails here."""

import re
from pathlib import Path

import pytest

from models.alerts import AlertType
from streams.cli import COMMANDS
from streams.reference import (
    DOCS,
    GENERATED,
    exposed_name,
    metric_families,
    with_generated,
)
from streams.settings import Settings, variable

REPOSITORY = DOCS.parent
PAGES = sorted(path for path in (*DOCS.glob("*.md"), REPOSITORY / "README.md") if path.exists())


def text_of(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


@pytest.mark.parametrize("name", GENERATED)
def test_the_generated_part_of_a_page_is_up_to_date(name: str) -> None:
    page = text_of(name)
    assert with_generated(page, GENERATED[name]()) == page, "run: python -m streams.reference"


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="the page needs the lines"):
        with_generated("# Settings", "| a |")


def test_every_setting_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| `(HOTSPOTS_[A-Z_]+)` \|", text_of("settings.md"), re.MULTILINE)
    assert rows == [variable(name) for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_every_metric_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| `(hotspots_[a-z_]+)` \|", text_of("metrics.md"), re.MULTILINE)
    assert rows == [exposed_name(family) for family in metric_families()]


def test_every_command_is_documented_and_no_other() -> None:
    headings = re.findall(r"^## `hotspots ?(\w*)`$", text_of("commands.md"), re.MULTILINE)
    assert headings == ["", *COMMANDS]


@pytest.mark.skipif(not (DOCS / "alerts.md").exists(), reason="docs/alerts.md is not written yet")
def test_every_alert_type_is_documented_and_no_other() -> None:
    named = set(re.findall(r"`(hotspot\.[a-z._]+[a-z])`", text_of("alerts.md")))
    assert named == {alert.value for alert in AlertType}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_page_names_a_setting_or_metric_that_is_not_there(page: Path) -> None:
    text = page.read_text("utf-8")
    settings = {variable(name) for name in Settings.model_fields}
    # An example of a typo is the one name that must not exist.
    named = set(re.findall(r"\bHOTSPOTS_[A-Z][A-Z_]*[A-Z]\b", text)) - {"HOTSPOTS_BORD_SIZE"}
    assert named <= settings
    families = metric_families()
    metrics = {exposed_name(family) for family in families} | {
        f"{family.name}{suffix}"
        for family in families
        if family.type == "histogram"
        for suffix in ("_bucket", "_count", "_sum")
    }
    assert set(re.findall(r"\bhotspots_[a-z_]+[a-z]\b", text)) <= metrics


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_that_a_page_points_to_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    named = set(
        re.findall(
            r"(?<![\w./~-])((?:docs|models|streams|tests|deploy|benchmarks)/[\w./-]*\w)", text
        )
    )
    missing = {name for name in named if not (REPOSITORY / name).exists()}
    assert not missing
