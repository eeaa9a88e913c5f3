"""The dashboard *Hotspots now*: what is emerging, how far it has come, by which route."""

from grafana_foundation_sdk.builders.common import TableSortByFieldState
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from panels import as_share, bars, figure, filled, listed, page, pictured

_NAMED = "* on (hotspot) group_left (title) max by (hotspot, title) (hotspots_top_info)"


def hotspots_now() -> Dashboard:
    """Return the dashboard."""
    return filled(
        page(
            "hotspots-now",
            "Hotspots now",
            "What is emerging, how far it has come, and by which route. Only the 20 hotspots at "
            "the top of the board are named.",
            last="6h",
        ),
        figure(
            "Emerging works",
            "Works that are told as emerging and have not reached the level yet.",
            'sum(hotspots_vertical_works{works="emerging"})',
        ),
        figure(
            "Hotspots",
            "Works that have reached the level.",
            'sum(hotspots_vertical_works{works="hotspots"})',
        ),
        figure(
            "Discovered videos",
            "Videos discovered in the latest epochs of a day, under the promised false discovery "
            "rate.",
            "sum(increase(hotspots_discoveries_total[1d]))",
        ),
        figure(
            "Alerts of a day",
            "All types, guidance included.",
            "sum(increase(hotspots_alerts_total[1d]))",
        ),
        figure(
            "Withheld of a day",
            "By the budget or for a suspicion: `hotspots withheld` lists them.",
            "sum(increase(hotspots_withheld_total[1d]))",
        ),
        figure(
            "Videos beyond presentation",
            "Videos followed that are in judgment, interaction or diffusion.",
            'sum(hotspots_videos{stage!="presentation"})',
        ),
        listed(
            "The top of the board",
            "In the order of the board: confirmed hotspots, then emerging ones, the hotter first.",
            {
                "A": "max by (hotspot, title, kind, stage, route, state, platforms) "
                "(hotspots_top_info)",
                "B": "max by (hotspot) (hotspots_top_rank)",
                "C": "max by (hotspot) (hotspots_top_heat)",
                "D": "max by (hotspot) (hotspots_top_probability)",
                "E": "max by (hotspot) (hotspots_top_depth)",
                "F": "max by (hotspot) (hotspots_top_views)",
                "G": "max by (hotspot) (hotspots_top_videos)",
            },
            {
                "Value #B": "rank",
                "title": "hotspot",
                "kind": "kind",
                "stage": "stage",
                "route": "route",
                "state": "state",
                "Value #D": "probability",
                "Value #E": "depth",
                "Value #C": "activity per hour",
                "Value #F": "views",
                "Value #G": "videos",
                "platforms": "platforms",
            },
            by="hotspot",
            width=24,
        )
        .sort_by([TableSortByFieldState().display_name("rank").desc(False)])
        .override_by_name(*as_share("probability"))
        .override_by_name(*as_share("depth")),
        pictured(
            "Heat of the top",
            "Activity per hour of each hotspot that is named.",
            (f"max by (hotspot) (hotspots_top_heat) {_NAMED}", "{{title}}"),
        ),
        pictured(
            "Forecast of the top",
            "The probability of reaching the level within the horizon.",
            (f"max by (hotspot) (hotspots_top_probability) {_NAMED}", "{{title}}"),
            unit="percentunit",
            most=1,
        ),
        Row("Stages, routes, platforms"),
        pictured(
            "Videos by stage",
            "Videos beyond presentation, by the stage they are in.",
            ('sum by (stage) (hotspots_videos{stage!="presentation"})', "{{stage}}"),
            width=8,
            stacked=True,
        ),
        pictured(
            "Transitions",
            "Videos that enter a stage in five minutes, by the juncture that leads there.",
            ("sum by (stage) (increase(hotspots_transitions_total[5m]))", "into {{stage}}"),
            ("sum by (state) (increase(hotspots_state_changes_total[5m]))", "{{state}}"),
            width=8,
            bars=True,
        ),
        pictured(
            "Routes of the top",
            "Named hotspots by the route that they take through judgment.",
            ("count by (route) (max by (hotspot, route) (hotspots_top_info))", "{{route}}"),
            width=8,
            stacked=True,
        ),
        bars(
            "Depth of the top",
            "How deep people go: the depth index of docs/integrity.md, where it is known.",
            f"sort_desc(max by (hotspot) (hotspots_top_depth) {_NAMED})",
            "{{title}}",
        ),
        pictured(
            "Platforms of the top",
            "Named hotspots by where they are talked about.",
            (
                "count by (platforms) (max by (hotspot, platforms) (hotspots_top_info))",
                "{{platforms}}",
            ),
            width=8,
            stacked=True,
        ),
        pictured(
            "Works by vertical",
            "Works that there is something to say of (docs/views.md).",
            ('sum by (vertical) (hotspots_vertical_works{works="all"})', "{{vertical}}"),
            width=8,
            stacked=True,
        ),
        pictured(
            "Guidance",
            "What content-guidance teams were told in an hour, by type (docs/alerts.md).",
            (
                'sum by (type) (increase(hotspots_alerts_total{type=~"hotspot.guidance.*"}[1h]))',
                "{{type}}",
            ),
            width=12,
            bars=True,
        ),
        pictured(
            "Actions",
            "What people told that they did about hotspots, in an hour; what was refused.",
            ("sum(increase(hotspots_actions_total[1h]))", "taken in"),
            ("sum(increase(hotspots_action_rejects_total[1h]))", "refused"),
            width=6,
            bars=True,
        ),
        pictured(
            "Stickiness of verticals",
            "Daily over monthly active people, where a month is known (docs/views.md).",
            ("max by (vertical) (hotspots_vertical_stickiness)", "{{vertical}}"),
            unit="percentunit",
            width=6,
        ),
    )
