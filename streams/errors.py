"""Errors that a user can mend: what is wrong, where it was set and how to mend it, in one line."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

EXIT_USER_ERROR: Final = 2
"""The exit code of every mistake a user can mend; the same as click's own for wrong usage."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    >>> str(Problem("nothing answers at db:6379", "HOTSPOTS_REDIS", "start Redis there"))
    'nothing answers at db:6379 (HOTSPOTS_REDIS): start Redis there'
    """

    what: str
    where: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        remedy = f": {self.remedy}" if self.remedy else ""
        return " ".join(f"{self.what}{where}{remedy}".split())


class UserError(Exception):
    """Ends a command with exit code 2 and one line on stderr for each problem, no traceback."""

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.problems: tuple[Problem, ...] = (Problem(what, where, remedy),)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Self:
        """Return one error that stands for all `problems` (at least one)."""
        first, *others = problems
        error = cls(first.what, first.where, first.remedy)
        error.problems = (first, *others)
        return error

    @property
    def lines(self) -> list[str]:
        """One line for each problem, as they are shown to the user."""
        return [str(problem) for problem in self.problems]

    def __str__(self) -> str:
        return "\n".join(self.lines)
