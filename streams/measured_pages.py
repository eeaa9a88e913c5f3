"""Pages of docs/ that hold what was measured: tables between marks, and pictures.

Benchmarks and scoreboards write them, each the part it has measured, and leave the rest as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOCS: Final = Path(__file__).parents[1] / "docs"


class MissingMarksError(ValueError):
    """The page lacks the marks between which a part belongs."""


def replaced(page: str, name: str, text: str) -> str:
    """Return the page with a part between its marks.

    Raises:
        MissingMarksError: The marks are not there.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise MissingMarksError(f"the page needs the lines {begin!r} and {end!r}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def write(path: Path, parts: Mapping[str, str]) -> None:
    """Put parts between their marks on a page.

    Raises:
        MissingMarksError: Those of a part are not there; nothing is written then.
    """
    page = path.read_text("utf-8")
    for name, text in parts.items():
        page = replaced(page, name, text)
    path.write_text(page, "utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column is text, the others are figures.

    >>> print(table(["a", "b"], [["x", "1"]]))
    | a | b |
    |---|---:|
    | x | 1 |
    """
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator["Figure"]:
    """Give a figure to draw in, and write it as SVG: the same bytes for the same drawing.

    Args:
        path: Where to write.
        width: In inches, as matplotlib has it.
        height: Likewise.
    """
    import matplotlib as mpl  # noqa: PLC0415 - of the extra `bench`; tables need no picture
    from matplotlib.figure import Figure  # noqa: PLC0415 - the same

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "hotspots", "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        figure.savefig(path, metadata={"Date": None})
