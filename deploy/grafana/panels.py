"""What the dashboards have in common: kinds of panels, how they look, where they get their data.

A query may use `$__rate_interval`: Grafana puts four scrapes there, or more when the picture is
coarse. Every query is run against a real Prometheus by tests/integration/test_dashboards.py.
"""

from typing import Final

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table
from grafana_foundation_sdk.builders import timeseries as lines
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATA: Final = DataSourceRef(type_val="prometheus", uid="hotspots-prometheus")
"""The data source of provisioning/datasources/prometheus.yml."""
HEIGHT: Final = 8
"""Rows of the grid, of 30 pixels, for a picture."""
COLUMNS: Final = 24
"""Of Grafana's grid."""

Item = dashboard.Row | lines.Panel | stat.Panel | bargauge.Panel | table.Panel
"""What stands on a dashboard."""
Query = tuple[str, str]
"""An expression, and what a series is called in the legend (`{{label}}` stands for its label)."""


def page(uid: str, title: str, about: str, *, last: str) -> dashboard.Dashboard:
    """Return an empty dashboard that shows the time from `last` (such as `6h`) until now."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags(["hotspots"])
        .readonly()
        .refresh("10s")
        .time(f"now-{last}", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(dashboard.DashboardLink("Hotspots").type("dashboards").tags(["hotspots"]))
    )


def filled(made: dashboard.Dashboard, *items: Item) -> dashboard.Dashboard:
    """Return a dashboard with panels, in their order, under rows."""
    for item in items:
        made = made.with_row(item) if isinstance(item, dashboard.Row) else made.with_panel(item)
    return made


def pictured(
    title: str,
    about: str,
    *queries: Query,
    unit: str = "short",
    width: int = 12,
    stacked: bool = False,
    bars: bool = False,
    is_signed: bool = False,
    most: float | None = None,
) -> lines.Panel:
    """Return a panel of lines over time.

    Args:
        title: Its title.
        about: What it shows and what to look for, in a sentence or two.
        queries: At least one.
        unit: Of Grafana's list of units.
        width: In columns.
        stacked: Whether series add up.
        bars: Whether values are of intervals rather than of moments.
        is_signed: Whether values lie around zero, not above it.
        most: The end of the axis, where values have one.
    """
    panel = (
        lines.Panel()
        .title(title)
        .description(about)
        .datasource(DATA)
        .unit(unit)
        .span(width)
        .height(HEIGHT)
        .fill_opacity(70 if bars else 25 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
        )
    )
    panel = panel.axis_centered_zero(axis_centered_zero=True) if is_signed else panel.min(0)
    if bars:
        panel = panel.draw_style(GraphDrawStyle.BARS)
    if stacked or bars:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if most is not None:
        panel = panel.max(most)
    for ref_id, (expression, legend) in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(_query(expression, ref_id).range().legend_format(legend))
    return panel


def figure(
    title: str, about: str, expression: str, *, unit: str = "short", width: int = 4
) -> stat.Panel:
    """Return a panel with one figure and how it came there."""
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(DATA)
        .unit(unit)
        .span(width)
        .height(HEIGHT // 2)
        .color_mode(BigValueColorMode.NONE)
        .with_target(_query(expression, "A").range().legend_format(title))
    )


def bars(title: str, about: str, expression: str, legend: str, *, width: int = 8) -> bargauge.Panel:
    """Return a panel with a bar from 0 to 1 for each series of now."""
    return (
        bargauge.Panel()
        .title(title)
        .description(about)
        .datasource(DATA)
        .unit("percentunit")
        .min(0)
        .max(1)
        .span(width)
        .height(HEIGHT)
        .orientation("horizontal")
        .with_target(_query(expression, "A").instant().legend_format(legend))
    )


def listed(
    title: str, about: str, queries: dict[str, str], names: dict[str, str], *, by: str, width: int
) -> table.Panel:
    """Return a table with a row for each value of a label, and what queries say of it as columns.

    Args:
        title: Its title.
        about: What it shows.
        queries: Expressions by their letter; the value of A is in the column `Value #A`.
        names: What columns are called, in their order; others are left out.
        by: The label by which rows belong together.
        width: In columns of the grid.
    """
    panel = table.Panel().title(title).description(about).datasource(DATA).span(width)
    panel = panel.height(2 * HEIGHT)
    for ref_id, expression in queries.items():
        query = _query(expression, ref_id).instant().format(PromQueryFormat.TABLE)
        panel = panel.with_target(query)
    joined = DataTransformerConfig(id_val="joinByField", options={"byField": by, "mode": "outer"})
    chosen = DataTransformerConfig(
        id_val="filterFieldsByName", options={"include": {"names": list(names)}}
    )
    ordered = DataTransformerConfig(
        id_val="organize",
        options={
            "indexByName": {name: place for place, name in enumerate(names)},
            "renameByName": names,
        },
    )
    return panel.transformations([joined, chosen, ordered])


def as_share(name: str) -> tuple[str, list[DynamicConfigValue]]:
    """Return how a column of a table is shown that goes from 0 to 1: as a bar."""
    return name, [
        DynamicConfigValue(id_val="unit", value="percentunit"),
        DynamicConfigValue(id_val="min", value=0),
        DynamicConfigValue(id_val="max", value=1),
        DynamicConfigValue(id_val="custom.cellOptions", value={"type": "gauge", "mode": "basic"}),
    ]


def _query(expression: str, ref_id: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).ref_id(ref_id).datasource(DATA)
