"""Jars are fetched once, over real HTTP, and nothing unverified is ever handed on."""

import functools
import hashlib
import http.server
import re
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from streams.local import jars
from streams.local.errors import LocalServerError, Reason
from streams.local.jars import Jar, cache_directory, kafka_jars, read_lock

CONTENTS = {
    f"org/example/part{number}/1.{number}/part{number}-1.{number}.jar": b"PK%d" % number
    for number in range(6)
}


class Repository:
    """A Maven repository on the loopback that counts what it is asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[str] = []
        self.url = ""
        for name, content in CONTENTS.items():
            self.write(name, content)

    def write(self, name: str, content: bytes) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def jars_asked(self) -> list[str]:
        return [name for name in self.asked if name.endswith(".jar")]


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args: object, repository: Repository) -> None:
        self.repository = repository
        super().__init__(*args, directory=str(repository.directory))  # type: ignore[arg-type] # passed on

    def do_GET(self) -> None:
        self.repository.asked.append(self.path.lstrip("/"))
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write nothing."""


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = False
    block_on_close = True


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")
    with Server(("127.0.0.1", 0), functools.partial(Handler, repository=made)) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def environment(tmp_path: Path, repository: Repository) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOTSPOTS_MAVEN": repository.url}


LOCK = [
    Jar(PurePosixPath(name), hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
]


def test_the_lock_names_one_kafka_with_a_sum_for_every_jar() -> None:
    lock = read_lock()
    kafka = {jar.coordinate[2] for jar in lock if jar.coordinate[0] == "org.apache.kafka"}
    assert len(kafka) == 1
    assert ("org.slf4j", "slf4j-simple") in {jar.coordinate[:2] for jar in lock}
    assert len({jar.path for jar in lock}) == len(lock)
    for jar in lock:
        assert re.fullmatch("[0-9a-f]{64}", jar.sha256)
        assert not jar.path.is_absolute()
        group, artifact, version = jar.coordinate
        assert jar.path.name == f"{artifact}-{version}.jar"
        assert str(jar.path).startswith(group.replace(".", "/"))


def test_the_lock_names_no_host() -> None:
    assert "://" not in jars.LOCK_FILE.read_text()


def test_what_is_missing_is_fetched_once_and_told(
    environment: dict[str, str], repository: Repository
) -> None:
    told: list[str] = []
    paths = kafka_jars(environment, jars=LOCK, progress=told.append)
    assert [path.read_bytes() for path in paths] == list(CONTENTS.values())
    assert sorted(repository.jars_asked()) == sorted(CONTENTS)
    assert told[-1].startswith(f"Fetching Kafka (once): {len(LOCK)} of {len(LOCK)} files")
    repository.asked.clear()
    told.clear()
    assert kafka_jars(environment, jars=LOCK, progress=told.append) == paths
    assert (repository.asked, told) == ([], [])
    left = [path.name for path in cache_directory(environment).iterdir()]
    assert not [name for name in left if name.startswith("incoming-")]


@pytest.mark.parametrize("damage", [b"", b"PK9", b"PK1 and more"])
def test_a_damaged_jar_is_fetched_again_and_the_others_are_not(
    environment: dict[str, str], repository: Repository, damage: bytes
) -> None:
    path = kafka_jars(environment, jars=LOCK)[1]
    repository.asked.clear()
    path.write_bytes(damage)
    told: list[str] = []
    kafka_jars(environment, jars=LOCK, progress=told.append)
    assert path.read_bytes() == b"PK1"
    assert repository.jars_asked() == [str(LOCK[1].path)]
    assert told[0] == "1 damaged files of Kafka are fetched again"


def test_a_jar_with_another_sum_never_reaches_the_cache(
    environment: dict[str, str], repository: Repository
) -> None:
    repository.write(str(LOCK[2].path), b"something else")
    with pytest.raises(LocalServerError, match=r"part2-1\.2\.jar does not have") as caught:
        kafka_jars(environment, jars=LOCK)
    assert caught.value.reason is Reason.DAMAGED_JAR
    assert repository.url in str(caught.value)
    assert repository.jars_asked().count(str(LOCK[2].path)) == jars.FETCH_TRIES
    assert not (cache_directory(environment) / LOCK[2].path).exists()


def test_a_refusal_is_told(environment: dict[str, str], repository: Repository) -> None:
    (repository.directory / LOCK[0].path).unlink()
    with pytest.raises(LocalServerError, match="it was refused") as caught:
        kafka_jars(environment, jars=LOCK)
    assert caught.value.reason is Reason.NO_NETWORK


def test_no_network_on_the_first_run_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Port 9 of the loopback (discard) has no listener: the proxy cannot be reached.
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(LocalServerError, match="cannot be fetched: no connection") as caught:
        kafka_jars({"XDG_CACHE_HOME": str(tmp_path)})
    assert caught.value.reason is Reason.NO_NETWORK
    assert caught.value.where == "Maven Central"
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_told_before_anything_is_fetched(
    environment: dict[str, str], repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(LocalServerError, match="fetching Kafka needs") as caught:
        kafka_jars(environment, jars=LOCK)
    assert caught.value.reason is Reason.DISK_FULL
    assert repository.asked == []


FULL_DISK = """
import sys
from pathlib import PurePosixPath
from streams.local import jars
from streams.local.errors import LocalServerError
jars.NEEDED_BYTES = 0  # as if the disk became full after we looked
cache, url, path = sys.argv[1:]
try:
    jars.kafka_jars(
        {"XDG_CACHE_HOME": cache, "HOTSPOTS_MAVEN": url}, jars=[jars.Jar(PurePosixPath(path), "0")]
    )
except LocalServerError as error:
    print(error.reason, error)
"""


def test_a_disk_that_becomes_full_meanwhile_is_told(repository: Repository, tmp_path: Path) -> None:
    """Fetch 1 MB to a file system of 256 kB, which a user may mount in a namespace of their own."""
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*namespace, ":"], check=False).returncode:
        pytest.skip("this machine does not let a user make a mount namespace")
    repository.write(str(LOCK[0].path), b"x" * (1 << 20))
    run = subprocess.run(
        [
            *namespace,
            'mount -t tmpfs -o size=256k none "$0" && exec "$@"',
            str(tmp_path),
            *(sys.executable, "-c", FULL_DISK),
            *(str(tmp_path), repository.url, str(LOCK[0].path)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert run.stdout.startswith(f"{Reason.DISK_FULL} the disk is full: no space is left ("), run


def test_a_cache_that_cannot_be_written_to_is_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where the cache should be")
    with pytest.raises(LocalServerError, match="XDG_CACHE_HOME") as caught:
        kafka_jars(environment, jars=LOCK)
    assert caught.value.reason is Reason.DIRECTORY_UNUSABLE


def test_programs_that_start_at_once_fetch_every_jar_once(
    environment: dict[str, str], repository: Repository
) -> None:
    threads = [
        threading.Thread(target=kafka_jars, args=(environment,), kwargs={"jars": LOCK})
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(repository.jars_asked()) == sorted(CONTENTS)


def test_the_cache_follows_the_xdg_specification() -> None:
    assert cache_directory({"XDG_CACHE_HOME": "/x"}) == Path("/x/hotspots/jars")
    assert cache_directory({}) == Path.home() / ".cache/hotspots/jars"
    assert cache_directory({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/hotspots/jars"
