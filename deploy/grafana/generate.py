"""Writes the dashboards that Grafana is provisioned with: python deploy/grafana/generate.py.

They are made by Grafana's Foundation SDK, whose types know what a dashboard may be. Change these
files, never the JSON: tests/test_grafana.py fails when the two differ.
"""

import sys
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from detection import detection
from hotspots_now import hotspots_now
from operations import operations

DASHBOARDS = Path(__file__).with_name("dashboards")
MADE = {"hotspots-now": hotspots_now, "operations": operations, "detection": detection}


def text_of(made: Dashboard) -> str:
    """Return a dashboard as Grafana reads it."""
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def main(directory: Path) -> None:
    """Write all of them."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, make in MADE.items():
        (directory / f"{name}.json").write_text(text_of(make()), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DASHBOARDS)
