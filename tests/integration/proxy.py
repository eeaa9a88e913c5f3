"""A TCP proxy on the loopback that can be cut: the network between a worker and its broker."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from streams.local.processes import LOOPBACK, free_ports

BUFFER_BYTES: Final = 65_536


class Proxy:
    """Forwards connections to a port that is told later; a context manager.

    `cut` resets all connections and refuses new ones, as a host does that is up without its broker;
    `silence` leaves them open and forwards nothing, as a cable does that is pulled; `mend` ends
    either.
    """

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.target = 0
        self._listening: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._speaking = threading.Event()
        self._speaking.set()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()
        self._speaking.set()

    def cut(self) -> None:
        with self._lock:
            ending, self._open = self._open, set()
            if self._listening is not None:
                ending.add(self._listening)
                self._listening = None
        for end in ending:
            _close(end)

    def silence(self) -> None:
        self._speaking.clear()

    def mend(self) -> None:
        """Connections that were silenced are reset: what was sent meanwhile is lost."""
        if not self._speaking.is_set():
            self.cut()
            self._speaking.set()
        if self._listening is None:
            self._listening = socket.create_server((LOOPBACK, self.port))
            _start(self._accept, self._listening)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return  # cut
            try:
                server = socket.create_connection((LOOPBACK, self.target), 1.0)
            except OSError:
                client.close()  # the broker is being started
                continue
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            _start(self._pass_on, client, server)
            _start(self._pass_on, server, client)

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(BUFFER_BYTES):
                self._speaking.wait()
                other.sendall(data)
        with self._lock:
            self._open -= {one, other}
        _close(one)
        _close(other)


def _start(work: Callable[..., None], *sockets: socket.socket) -> None:
    threading.Thread(target=work, args=sockets, daemon=True).start()


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
    end.close()
