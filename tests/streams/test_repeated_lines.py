import logging
from collections.abc import Iterator

import pytest

from streams.repeated_lines import RepeatedLines


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def written(clock: Clock) -> Iterator[list[str]]:
    handler = Lines()
    handler.addFilter(RepeatedLines(["client"], interval_s=10, clock=clock))
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)


def complain(name: str, node: int) -> None:
    logging.getLogger(name).error("cannot reach %d", node)


def test_the_same_line_of_code_speaks_once_in_an_interval(written: list[str], clock: Clock) -> None:
    for node in range(1_000):
        complain("client.connection", node)
    logging.getLogger("client.connection").error("something else")
    assert written == ["cannot reach 0", "something else"]
    clock.now_s = 10.0
    complain("client.connection", 7)
    complain("client.connection", 8)
    assert written[2:] == ["cannot reach 7 (and 999 times more since)"]


def test_what_is_no_client_always_speaks(written: list[str]) -> None:
    for node in range(3):
        complain("streams.learned", node)
        complain("clientele", node)
    assert len(written) == 6
