"""docs/model.md names a test for every statement; each of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FILES = re.compile(r"`((?:models|streams)/[\w/]+\.py)`")


def rows() -> list[str]:
    text = (ROOT / "docs/model.md").read_text(encoding="utf-8")
    table = text.partition("## What cannot be observed")[0]
    return [line for line in table.splitlines() if re.match(r"\| 00\d", line)]


def test_every_statement_names_a_test_that_is_there() -> None:
    assert rows()
    for row in rows():
        named = NAMED.findall(row)
        assert named, row
        for path, name in named:
            assert re.search(rf"^def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE), row


def test_every_statement_lives_in_files_that_are_there() -> None:
    for row in rows():
        files = FILES.findall(row)
        assert files, row
        assert all((ROOT / path).exists() for path in files), row
