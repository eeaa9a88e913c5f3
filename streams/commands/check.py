"""`hotspots check`: configuration and connections, each problem in one line with its remedy."""

from typing import TYPE_CHECKING

import click

from streams.errors import EXIT_USER_ERROR, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.connections import Findings
    from streams.delivery.routes import Receiver
    from streams.settings import Settings


@click.command("check")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 300),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each answer.",
)
def command(timeout_s: float) -> None:
    """Check settings, Kafka (servers, user, topics, rights) and Redis, without changing anything.

    Each problem is one line on stderr: what is wrong, where it was set, how to mend it. Exit code 0
    when a worker would run, 2 otherwise.
    """
    from streams.settings import load_settings

    try:
        settings = load_settings()
    except UserError as error:
        _say_problems(error.lines)
    findings = _check(settings, timeout_s)
    for fact in findings.facts:
        click.echo(f"ok: {fact}")
    if not findings.ok:
        _say_problems([str(problem) for problem in findings.problems])


def _check(settings: "Settings", timeout_s: float) -> "Findings":
    """Run every check that makes sense after those before it."""
    import asyncio

    from streams.connections import (
        Findings,
        check_brokers,
        check_redis,
        quiet,
    )
    from streams.delivery.hooks import hook_groups, usable_receivers
    from streams.forecasters import forecaster_of, require_learning
    from streams.input_identity import input_identity_of
    from streams.rights import check_rights
    from streams.topics import topic_problems

    findings = Findings(facts=["the settings are complete and fit together"])
    try:
        findings.facts.append(f"videos are forecast by {forecaster_of(settings).name}")
        require_learning(settings)
    except UserError as error:
        findings.problems += error.problems
    receivers: Sequence[Receiver] = ()
    try:
        receivers = usable_receivers(settings)
        if receivers:
            findings.facts.append(f"hooks: {', '.join(one.route.name for one in receivers)}")
    except UserError as error:
        findings.problems += error.problems
    brokers = asyncio.run(check_brokers(settings, timeout_s))
    findings.add(brokers)
    if brokers.ok:
        rights = check_rights(settings, timeout_s, hook_groups=hook_groups(settings, receivers))
        findings.add(rights)
        # Without rights the configuration of topics cannot be seen; that was said above.
        if rights.ok:
            try:
                with quiet("aiokafka"):
                    findings.problems += asyncio.run(topic_problems(settings))
                with quiet("kafka"):
                    findings.problems += asyncio.run(input_identity_of(settings).problems())
            except UserError as error:
                findings.problems += error.problems
    findings.add(asyncio.run(check_redis(settings)))
    return findings


def _say_problems(lines: list[str]) -> None:
    for line in lines:
        click.echo(f"hotspots: {line}", err=True)
    raise SystemExit(EXIT_USER_ERROR)
