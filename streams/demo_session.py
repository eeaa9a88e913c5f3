"""One session of the demo: the servers, the run, the verdict, and nothing left behind."""

import asyncio
import os

from rich.console import Console

from streams.demo_settings import board_url, demo_environment
from streams.demo_traces import remove_traces
from streams.demonstration import Demonstration
from streams.local.servers import local_servers
from streams.progress import say
from streams.scenarios.british_museum import SEED, british_museum
from streams.settings import load_settings
from streams.verdict_table import show_verdict

PLAIN_WIDTH = 120
"""Columns of the tables in a file or a pipe, which has no width of its own."""


def play(*, once: bool, seed: int | None, speed: float | None, ordinary_videos: int) -> bool:
    """Run the demo and tell whether the promise was kept.

    Raises:
        UserError: A server cannot run, or a setting is wrong.
        WorkerFailedError: The worker ended or does not go on.
        KeyboardInterrupt: Somebody ended it before the scenario was decided.
    """
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    say("Making the scenario")
    scenario = british_museum(SEED if seed is None else seed, ordinary_videos)
    with local_servers(progress=say) as servers:
        environment = demo_environment(os.environ, servers)
        settings = load_settings(environment)
        demonstration = Demonstration(
            scenario,
            settings,
            environment,
            board_url=board_url(os.environ, settings),
            speed=speed,
            console=console,
        )
        try:
            verdict = asyncio.run(demonstration.run(once=once))
        except KeyboardInterrupt:
            if demonstration.verdict is None:
                raise
            verdict = demonstration.verdict
        finally:
            if servers.kafka is None or servers.valkey is None:
                remove_traces(settings)
    if once:
        show_verdict(verdict, scenario.truth, console)
    return verdict.passed
