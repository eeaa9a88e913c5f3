"""Parts of pages between marks, and pictures that are the same for the same drawing."""

from pathlib import Path

import pytest

from streams.measured_pages import MissingMarksError, picture, replaced, table, write

MARKED = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb"


def test_a_part_is_put_between_its_marks_and_nowhere_else() -> None:
    assert replaced(MARKED, "x", "new") == "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb"


def test_a_page_without_the_marks_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(MARKED)
    with pytest.raises(MissingMarksError, match="y: begin"):
        write(page, {"x": "new", "y": "new"})
    assert page.read_text() == MARKED
    write(page, {"x": table(["a"], [["1"]])})
    assert "| 1 |" in page.read_text()


def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    written = []
    for name in ("first.svg", "second.svg"):
        with picture(tmp_path / name, 2, 1) as figure:
            figure.subplots().plot([0, 1], [0, 1], label="a")
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    assert b"<svg" in written[0]
