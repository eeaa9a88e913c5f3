"""`hotspots views`: works by vertical, by creator and by agency, as of the latest look."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("views")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> None:
    """Show the works that there is something to say of by vertical, creator and agency (MCN).

    Read from the board in Redis (HOTSPOTS_REDIS); docs/views.md says what the figures mean.
    """
    import json

    from streams.commands.stored_board import read_board

    views = read_board()["views"]
    if as_json:
        click.echo(json.dumps(views, ensure_ascii=False))
        return
    for name, line_of in (("verticals", vertical_of), ("creators", creator_of), ("mcns", mcn_of)):
        shown = views.get(name, [])
        click.echo(f"{name}:" if shown else f"{name}: none")
        for one in shown:
            click.echo(f"  {line_of(one)}: {works_of(one)}")


def vertical_of(one: "Mapping[str, Any]") -> str:
    """Return what a line about a vertical begins with."""
    return str(one["vertical"])


def creator_of(one: "Mapping[str, Any]") -> str:
    """Return what a line about a creator begins with.

    >>> creator_of({"platform": "p", "creator_id": "c", "mcn": "", "followers": {"gain": 1200}})
    'p/c, +1,200 followers'
    """
    parts = [f"{one['platform']}/{one['creator_id']}"]
    parts += [f"of {one['mcn']}"] if one["mcn"] else []
    parts += [f"{one['followers']['gain']:+,} followers"] if "followers" in one else []
    return ", ".join(parts)


def mcn_of(one: "Mapping[str, Any]") -> str:
    """Return what a line about an agency begins with."""
    return f"{one['mcn']} ({one['creators']} creators)"


def works_of(one: "Mapping[str, Any]") -> str:
    """Return how many works there are, and how far they have come, in words.

    >>> works_of({"works": 3, "emerging": 1, "hotspots": 0, "screening": {"advertising": 2},
    ...           "stages": {"judgment": 0, "interaction": 3}, "activity_per_hour": 120.4})
    '3 works, 1 emerging, 0 hotspots; 3 in interaction; 120 an hour; flagged: advertising 2'
    """
    stages = ", ".join(f"{count} in {stage}" for stage, count in one["stages"].items() if count)
    told = f"{one['works']} works, {one['emerging']} emerging, {one['hotspots']} hotspots"
    parts = [told, stages, f"{one['activity_per_hour']:,.0f} an hour"]
    if one["screening"]:
        flags = ", ".join(f"{flag} {count}" for flag, count in one["screening"].items())
        parts.append(f"flagged: {flags}")
    return "; ".join(filter(None, parts))
