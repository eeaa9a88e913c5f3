"""`hotspots withheld`: what emerged and was not told, because of the budget or a suspicion."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("withheld")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def command(*, as_json: bool) -> None:
    """List what emerged and was not told because of HOTSPOTS_ALERTS_PER_DAY, the latest first.

    Read from the board in Redis (HOTSPOTS_REDIS): as many as the board shows hotspots. What is told
    later, since its score rose above the bar, leaves the list.
    """
    import json

    from streams.commands.stored_board import read_board

    board = read_board()
    for one in board["withheld"]:
        click.echo(json.dumps(one, ensure_ascii=False) if as_json else line_of(one))
    if not board["withheld"] and not as_json:
        click.echo("nothing was withheld")


def line_of(one: "Mapping[str, Any]") -> str:
    """Return what was withheld in one line, for people.

    >>> line_of({"subject": "p/v", "title": "a cat", "time_ms": 1_693_353_600_000, "score": 0.42,
    ...          "probability": 0.81, "bar": 0.5})
    '2023-08-30T00:00:00.000Z  probability 0.81, score 0.42 below 0.50  p/v  a cat'
    >>> line_of({"subject": "p/v", "title": "", "time_ms": 1_693_353_600_000, "score": 0.1,
    ...          "probability": 0.2, "bar": None, "reason": "coordinated_push_suspected"})
    '2023-08-30T00:00:00.000Z  probability 0.20, score 0.10 suspected to be pushed  p/v'
    """
    from models.alerts import rfc3339
    from models.withheld import WithheldReason

    bar = "the budget was spent" if one["bar"] is None else f"below {one['bar']:.2f}"
    if one.get("reason") == WithheldReason.SUSPECTED:
        bar = "suspected to be pushed"
    figures = f"probability {one['probability']:.2f}, score {one['score']:.2f} {bar}"
    return "  ".join(filter(None, (rfc3339(one["time_ms"]), figures, one["subject"], one["title"])))
