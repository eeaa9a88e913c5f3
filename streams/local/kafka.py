"""A real Apache Kafka of our own: one broker, on this machine only, for the demo and the tests.

KRaft combined mode, formatted once with a cluster id of its own. It is ready when its process
lives *and* the metadata at its address carries that cluster id: another broker on the port is
never mistaken for ours.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.local.broker_settings import CONTROLLER, PLAINTEXT, server_properties
from streams.local.cluster_directory import prepare_cluster, run_storage_tool
from streams.local.errors import LocalServerError, Reason
from streams.local.jars import kafka_jars
from streams.local.java import choose_java, java_environment
from streams.local.log_reading import explain
from streams.local.processes import (
    LOOPBACK,
    DirectoryLock,
    GuardedProcess,
    Progress,
    free_ports,
    make_directory,
    quiet,
    require_free_port,
    require_free_space,
    telling_of_a_full_disk,
)
from streams.local.readiness import is_ready
from streams.local.system import require_supported_system

START_SECONDS: Final = 90.0
"""Measured: 2 s on an idle machine of 2 cores; a busy one with a slow disk may take far longer."""

READY_POLL_SECONDS: Final = 0.05
GRACE_SECONDS: Final = 8.0
"""From SIGTERM to SIGKILL. Measured: 0.3 s when idle; the log is recovered at the next start."""

PREVIOUS_SECONDS: Final = GRACE_SECONDS + 4.0
"""How long to wait for the server of a program that was killed to let go of its directory."""

PORT_CHOICES: Final = 3
"""How often other ports are chosen when somebody was faster to take the ones we had found free."""

NEEDED_BYTES: Final = 256 << 20
"""Room asked for before a start: a segment of 64 MB for the input, our topics and Kafka's own."""

_JVM_OPTIONS: Final = (
    # The heap is small and the cores few: the collector with the least overhead.
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)
_NOT_STARTED: Final = "the embedded Kafka has not been started"


class EmbeddedKafka:
    """One Kafka broker as a child of this program; use it as a context manager.

    It ends when the program ends, also by SIGKILL. Stopped and started again it keeps its data, its
    cluster id and its port. Without a data directory of its own, `close` removes everything.
    """

    def __init__(
        self,
        data_directory: Path | None = None,
        *,
        port: int | None = None,
        cluster_id: str | None = None,
        settings: Mapping[str, str] | None = None,
        listeners: Sequence[str] = (),
        advertised: Mapping[str, int] | None = None,
        heap_megabytes: int = 256,
        java: Path | None = None,
        environment: Mapping[str, str] | None = None,
        progress: Progress = quiet,
    ) -> None:
        """Prepare a broker; `start` starts it.

        Args:
            data_directory: Where its data stay; by default a temporary directory.
            port: Where clients connect, on the loopback; by default a free one.
            cluster_id: What the data directory must belong to; by default whatever it belongs to,
                or a fresh id when it is empty.
            settings: Broker settings above our own (`broker_settings.py`).
            listeners: Names of further listeners, for clients with TLS or SASL; what each of them
                speaks is said by `settings` (`listener.security.protocol.map` and its kin).
            advertised: Ports that clients are told instead of those listened on, by listener: for
                a proxy on the loopback between them and the broker.
            heap_megabytes: The broker's Java heap.
            java: The Java to run; by default the system's, or the wheel's.
            environment: Where JAVA_HOME, PATH and XDG_CACHE_HOME are read; by default `os.environ`.
            progress: Told in a few words about slow work.
        """
        self._given_directory = data_directory
        self._given_cluster_id = cluster_id
        self._settings = dict(settings or {})
        self._listeners = (PLAINTEXT, *listeners)
        self._advertised = dict(advertised or {})
        self._heap_megabytes = heap_megabytes
        self._given_java = java
        self._environment = dict(os.environ if environment is None else environment)
        self._progress = progress
        self._ports = {} if port is None else {PLAINTEXT: port}
        self._directory: Path | None = None
        self._cluster_id: str | None = None
        self._process: GuardedProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` for clients.

        Raises:
            ValueError: It has not been started.
        """
        return self.address_of(PLAINTEXT)

    def address_of(self, listener: str) -> str:
        """Return `host:port` of a listener.

        Raises:
            ValueError: It has not been started, or has no listener of this name.
        """
        if self._cluster_id is None or listener not in self._ports:
            raise ValueError(f"{_NOT_STARTED}, or has no listener {listener}")
        return f"{LOOPBACK}:{self._ports[listener]}"

    @property
    def cluster_id(self) -> str:
        """The id of its cluster.

        Raises:
            ValueError: It has not been started.
        """
        if self._cluster_id is None:
            raise ValueError(_NOT_STARTED)
        return self._cluster_id

    @property
    def log_path(self) -> Path:
        """The file with the broker's warnings and errors.

        Raises:
            ValueError: It has not been started.
        """
        if self._directory is None:
            raise ValueError(_NOT_STARTED)
        return self._directory / "server.log"

    @property
    def process(self) -> GuardedProcess | None:
        """The broker's process, None when it does not run."""
        return self._process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the broker and return when it answers; does nothing when it runs already.

        It takes 2 to 3 s. After a broker that was killed it takes some 9 s more: the controller
        waits until the session of the dead broker has expired (broker.session.timeout.ms).

        Raises:
            LocalServerError: It cannot run; the error's `reason` says why.
        """
        if self._process is not None and self._process.returncode is None:
            return
        self.stop()
        require_supported_system()
        java = choose_java(self._given_java, self._environment)
        jars = kafka_jars(self._environment, progress=self._progress)
        command = [
            str(java.path),
            f"-Xmx{self._heap_megabytes}m",
            *_JVM_OPTIONS,
            "-cp",
            os.pathsep.join(map(str, jars)),
        ]
        try:
            directory = self._open_directory()
            with telling_of_a_full_disk(directory):
                self._start_in(directory, command)
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """End the broker and keep its data; does nothing when it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def close(self) -> None:
        """End the broker, and remove its data when they were in a temporary directory."""
        self.stop()
        if self._given_directory is None and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _open_directory(self) -> Path:
        if self._directory is not None:
            return self._directory
        if self._given_directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="hotspots-kafka-"))
        else:
            self._directory = make_directory(self._given_directory, "choose another data directory")
        return self._directory

    def _start_in(self, directory: Path, command: list[str]) -> None:
        require_free_space(directory, NEEDED_BYTES, "the embedded Kafka")
        lock = DirectoryLock(directory)
        lock.acquire(
            PREVIOUS_SECONDS, lambda: self._progress("Waiting for the previous Kafka to end")
        )
        try:
            self._format(directory, command)
            self._run(directory, command, lock)
        finally:
            # The guard has a copy of its own, which lives as long as the broker.
            lock.release()

    def _format(self, directory: Path, command: list[str]) -> None:
        def format_directory(log_directory: Path, cluster_id: str) -> None:
            self._progress("Formatting the storage of Kafka")
            properties = directory / "format.properties"
            # The tool checks addresses and opens none.
            ports = {name: number for number, name in enumerate([*self._listeners, CONTROLLER], 1)}
            properties.write_text(
                server_properties(log_directory, ports, self._settings), encoding="utf-8"
            )
            run_storage_tool(command, properties, cluster_id, java_environment(self._environment))

        self._cluster_id = prepare_cluster(
            directory / "log", self._given_cluster_id or self._cluster_id, format_directory
        )

    def _run(self, directory: Path, command: list[str], lock: DirectoryLock) -> None:
        """Start the broker and wait until it is ready; choose ports again if they were taken."""
        fixed = self._ports
        for port in fixed.values():
            require_free_port(port, "Kafka")
        names = [*self._listeners, CONTROLLER]
        for choices_left in reversed(range(PORT_CHOICES)):
            ports = dict(zip(names, free_ports(len(names)), strict=True)) | fixed
            self._launch(directory, command, lock, ports)
            try:
                self._wait_until_ready(ports[PLAINTEXT])
            except LocalServerError as error:
                self.stop()
                if error.reason is not Reason.PORT_TAKEN or fixed or not choices_left:
                    raise
            else:
                self._ports = {name: ports[name] for name in self._listeners}
                return

    def _launch(
        self, directory: Path, command: list[str], lock: DirectoryLock, ports: Mapping[str, int]
    ) -> None:
        self._progress(f"Starting Kafka on {LOOPBACK}:{ports[PLAINTEXT]}")
        properties = directory / "server.properties"
        properties.write_text(
            server_properties(directory / "log", ports, self._settings, self._advertised),
            encoding="utf-8",
        )
        self._process = GuardedProcess(
            [*command, "kafka.Kafka", properties],
            log_path=directory / "server.log",
            environment=java_environment(self._environment),
            working_directory=directory,
            grace_seconds=GRACE_SECONDS,
            remove=[] if self._given_directory else [directory],
            inherit=[lock.descriptor],
        )

    def _wait_until_ready(self, port: int) -> None:
        if self._process is None:
            raise ValueError(_NOT_STARTED)
        where = f"{LOOPBACK}:{port}"
        if self._given_directory is not None:
            where += f", log in {self.log_path}"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            returncode = self._process.returncode
            if returncode is not None:
                raise explain(
                    self._process.log_tail(), server="Kafka", returncode=returncode, where=where
                )
            if is_ready(port, self.cluster_id):
                return
            time.sleep(READY_POLL_SECONDS)
        raise LocalServerError(
            Reason.NOT_READY,
            f"Kafka did not answer within {START_SECONDS:.0f} s",
            where=where,
            remedy="the machine is too busy; try again, or set HOTSPOTS_KAFKA to another Kafka",
        )
