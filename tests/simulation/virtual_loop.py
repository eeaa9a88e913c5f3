"""An event loop with a virtual clock that runs many processes and is driven by one seed.

Each simulated process has a queue of its own, first in first out as a real loop has it; which
process runs next is drawn. A process that is dead never runs again, nor do its finalisers reach
anybody; one that is paused goes on where it stood, with every timer that has run out meanwhile.
Time passes only when nobody can run.
"""

import asyncio
import contextvars
import heapq
import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

CURRENT: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)
"""The process in which a callback runs; None is the world outside: the network and the broker."""


class ProcessEnded(BaseException):
    """Unwinds what still runs in a process that has ended; no `except Exception` stops it."""


class DeadlockError(RuntimeError):
    """Nobody can run and no timer is set: a history would never end."""


class Process:
    """What dies or is paused at once: one worker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_paused = False
        self.ready: deque[asyncio.Handle] = deque()

    def __repr__(self) -> str:
        return self.name


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs callbacks of processes in an order drawn from `choices`."""

    def __init__(self, choices: random.Random) -> None:
        self.choices = choices
        self.steps = 0
        self.errors: list[str] = []
        self._now = 0.0
        self._world = Process("world")
        self._processes: list[Process] = [self._world]
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = 0
        self._tasks: list[asyncio.Task[Any]] = []

    # ---- what asyncio asks of a loop --------------------------------------------------------

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - the dead leave tasks
        self._tasks.append(task)
        return task

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - asyncio's signature
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, context)
        self._process_of(context).ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - asyncio's signature
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - asyncio's signature
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: cancelled timers are passed over when they run out."""

    def run_in_executor(
        self,
        executor: Any,  # noqa: ANN401 - asyncio's signature
        func: Callable[..., Any],
        *args: Any,  # noqa: ANN401 - asyncio's signature
    ) -> asyncio.Future[Any]:
        """Run the function at once, but let its result be seen only a while later."""
        del executor
        future = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - as an executor does, whatever it was
            self.call_later(self.choices.random() * 0.05, _fail, future, error)
        else:
            self.call_later(self.choices.random() * 0.05, _succeed, future, result)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, ProcessEnded):
            self.errors.append(f"{context.get('message')}: {error!r}")

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    # ---- processes --------------------------------------------------------------------------

    def spawn(self, process: Process | None, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task in a process, or in the world outside."""
        if process is not None and process not in self._processes:
            self._processes.append(process)
        context = contextvars.Context()
        context.run(CURRENT.set, process)
        return self.create_task(coro, context=context)

    def in_world(self, delay: float, callback: Callable[..., object], *args: object) -> None:
        """Call something outside all processes: what is on the wire arrives all the same."""
        self.call_later(delay, callback, *args, context=_WORLD)

    def kill(self, process: Process) -> None:
        """End a process where it stands."""
        process.is_dead = True
        process.ready.clear()
        self._processes.remove(process)

    def pause(self, process: Process) -> None:
        """Stop a process, as SIGSTOP does."""
        process.is_paused = True

    def go_on(self, process: Process) -> None:
        """Let a paused process run again."""
        process.is_paused = False

    def _process_of(self, context: contextvars.Context) -> Process:
        process = context.get(CURRENT)
        return self._world if process is None else process

    # ---- running ----------------------------------------------------------------------------

    def run_until(self, task: asyncio.Task[Any], *, steps_max: int) -> None:
        """Run until a task is done.

        Raises:
            DeadlockError: Nothing is left to run, or it took more than `steps_max` steps.
        """
        before = asyncio._get_running_loop()  # noqa: SLF001 - how a loop says that it runs
        asyncio._set_running_loop(self)  # noqa: SLF001 - see above
        try:
            while not task.done():
                self.steps += 1
                if self.steps > steps_max:
                    raise DeadlockError(f"no end after {steps_max} steps, {self._now:.1f} s")
                self._step()
        finally:
            asyncio._set_running_loop(before)  # noqa: SLF001 - see above

    def _step(self) -> None:
        # The dead are not among them.
        able = [each for each in self._processes if each.ready and not each.is_paused]
        if not able:
            self._pass_time()
            return
        process = able[0] if len(able) == 1 else able[self.choices.randrange(len(able))]
        handle = process.ready.popleft()
        if not handle.cancelled():
            handle._run()  # noqa: SLF001 - how a loop runs a handle

    def _pass_time(self) -> None:
        while self._timers:
            when, _, handle = heapq.heappop(self._timers)
            process = self._process_of(handle._context)  # type: ignore[attr-defined]  # noqa: SLF001 - whose it is
            if handle.cancelled() or process.is_dead:
                continue
            self._now = max(self._now, when)
            process.ready.append(handle)
            if not process.is_paused:
                return
        raise DeadlockError(f"nothing is left to run at {self._now:.1f} s")

    def close(self) -> None:
        """Drop what never finished, without a word."""
        for process in self._processes:
            process.is_dead = True
        for task in self._tasks:
            if task.done():
                if not task.cancelled():
                    task.exception()
                continue
            # What dies may protest; nobody is there to hear it.
            with suppress(BaseException):
                task.get_coro().close()
        self._tasks.clear()
        self._timers.clear()


_WORLD = contextvars.Context()


def _succeed(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
