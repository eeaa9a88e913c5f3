"""The table of faults in docs/reliability.md names tests that are there."""

import ast
import re
from pathlib import Path

import pytest

from streams.reference import DOCS

REPOSITORY = DOCS.parent
PAGE = (DOCS / "reliability.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]


def names_of_tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_row_names_the_test_that_shows_it(row: str) -> None:
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert len(cells) == 4, "fault, how often, outcome, test"
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", cells[3])
    assert named, "no test"
    for file, test in named:
        assert (REPOSITORY / file).exists(), file
        assert test in names_of_tests(REPOSITORY / file), test


def test_every_test_under_fire_stands_in_the_table() -> None:
    fire = {
        f"{path.relative_to(REPOSITORY)}::{test}"
        for path in (REPOSITORY / "tests" / "integration").glob("test_fire_*.py")
        for test in names_of_tests(path)
    }
    assert fire
    assert {name for name in fire if f"`{name}`" not in PAGE} == set()
    assert len(ROWS) >= len(fire)
