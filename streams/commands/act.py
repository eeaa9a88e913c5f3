"""`hotspots act`: tell what was done about a hotspot, so that its effect is measured."""

import click

LEVELS = ("creative", "interaction", "dissemination")
"""Those of models/guidance_rules.py, which takes long to import."""


@click.command("act")
@click.argument("subject", metavar="PLATFORM/VIDEO_ID|topic:NAME")
@click.option(
    "--level",
    required=True,
    type=click.Choice(LEVELS),
    help="On which level of guidance it was taken.",
)
@click.option("--kind", required=True, help="What was done, in the team's own words: pin_comment.")
@click.option("--by", default="", help="Who did it.")
@click.option("--note", default="", help="For people.")
@click.option("--alert", "alert_id", default="", help="Id of the alert that it answers.")
@click.option("--at", metavar="TIME", help="When, as RFC 3339 with an offset.  [default: now]")
@click.option(
    "--id",
    "action_id",
    help="Told twice under one id, it counts once.  [default: a digest of all of the above]",
)
@click.option("--kafka", metavar="SERVERS", help="Bootstrap servers, above HOTSPOTS_KAFKA.")
def command(
    subject: str,
    level: str,
    kind: str,
    by: str,
    note: str,
    alert_id: str,
    at: str | None,
    action_id: str | None,
    kafka: str | None,
) -> None:
    """Tell that something was done about a video or a topic.

    The action goes to the topic guidance-actions, which is created when it is missing. Alerts of
    the hotspot show it from then on, and when HOTSPOTS_EFFECT_WINDOW_MS are over,
    `hotspot.guidance.effect` tells what it did, against others that are alike (docs/actions.md).
    """
    from streams.acting import tell_action

    said = {"level": level, "kind": kind, "by": by, "note": note, "alert_id": alert_id}
    told = tell_action(subject, said, at, action_id=action_id, kafka=kafka)
    click.echo(f"{told}  {level} {kind} on {subject}")
