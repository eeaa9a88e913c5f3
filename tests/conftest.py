"""The servers that tests share: one Kafka, one Valkey, started when first asked for."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from streams.local.kafka import EmbeddedKafka
from streams.local.valkey import EmbeddedValkey

# The first call of a compiled loop compiles it, and no test asserts speed. The same examples are
# drawn each time, so that a change is not refused for a defect that it has not made; `make hunt`
# draws others, and more of them.
settings.register_profile("hotspots", deadline=None, derandomize=True)
settings.register_profile("hunt", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "hotspots"))


_BROKERS = "integration"
"""The directory of tests that start brokers and workers."""
_BESIDE_BROKERS = 10
"""How much of the processor tests that only compute leave to those that watch workers: Linux gives
a process of this niceness a tenth of what one of none gets."""
_SAID = "said"


class _FilesBesideBrokers(LoadScopeScheduling):
    """Runs what waits for brokers in one process, and files of all else in the others."""

    def _split_scope(self, nodeid: str) -> str:
        path = Path(nodeid.partition("::")[0])
        return "brokers" if path.parent.name == _BROKERS else str(path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Hand tests out so (groups by marks, `--dist=loadgroup`, have no effect in pytest 9.2)."""
    return _FilesBesideBrokers(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Step back for the process beside this one, whose tests have timeouts."""
    beside = "PYTEST_XDIST_WORKER" in os.environ and item.path.parent.name != _BROKERS
    if beside and os.nice(0) < _BESIDE_BROKERS:
        os.nice(_BESIDE_BROKERS)


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say something that is to be seen at the end of the run, whichever process the test is in."""
    return partial(record_property, _SAID)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests said."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == _SAID and report.when == "call":
                    terminalreporter.write_line(str(value))


@pytest.fixture(scope="session")
def kafka() -> Iterator[EmbeddedKafka]:
    """A real broker of this session; tests name their topics and groups apart (uuid4)."""
    with EmbeddedKafka() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a real Valkey of this session; tests use keys of their own."""
    with EmbeddedValkey() as server:
        yield server.url


@pytest.fixture
def board_key(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key of its own for a board, which commands are told to read."""
    name = f"test-{uuid4().hex}"
    monkeypatch.setenv("HOTSPOTS_REDIS", redis_url)
    monkeypatch.setenv("HOTSPOTS_BOARD_KEY", name)
    return name
