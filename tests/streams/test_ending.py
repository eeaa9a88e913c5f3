"""A worker that must not go on ends at once, with one line."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, atexit, logging
from streams.ending import ending_worker
atexit.register(print, "no handler may run")
logging.disable(logging.CRITICAL)

async def main():
    try:
        with ending_worker("a checkpoint"):
            {statement}
    finally:
        print("nor any clean-up")

asyncio.run(main())
print("the end")
"""


def run(statement: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("raise ValueError('two\\nlines')", "ValueError: two lines (<string>:10)"),
        ("raise TimeoutError", "TimeoutError (<string>:10)"),
        ("raise RuntimeError('x' * 5_000)", "RuntimeError: " + "x" * 965),
    ],
)
def test_an_error_ends_the_worker_with_one_line(statement: str, reason: str) -> None:
    ended = run(statement)
    assert ended.returncode == 1
    assert ended.stderr == f"hotspots: worker ends: a checkpoint failed: {reason}\n"
    assert ended.stdout == ""


def test_without_an_error_it_goes_on() -> None:
    ended = run("pass")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == ["nor any clean-up", "the end", "no handler may run"]


def test_a_stop_that_takes_too_long_ends_as_a_stop() -> None:
    program = "from streams.ending import end_when_late; end_when_late(0.2); input(); print('late')"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.wait(30) == 0
        assert waiting.stdout is not None
        assert waiting.stderr is not None
        assert waiting.stdout.read() == ""
        assert waiting.stderr.read() == (
            "hotspots: worker ends: told to stop, it did not do so in order within 0.2 s; what was "
            "not committed is processed again\n"
        )
