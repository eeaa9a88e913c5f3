"""The dashboard *Detection*: are forecasts what they say, and what became of alerts."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from panels import figure, filled, page, pictured


def detection() -> Dashboard:
    """Return the dashboard."""
    return filled(
        page(
            "hotspots-detection",
            "Detection",
            "Whether probabilities are what they say, what became of alerts, what was withheld.",
            last="7d",
        ),
        Row("Forecast"),
        pictured(
            "Calibration",
            "Mean probability minus the share that happened, on the newest moments that have "
            "matured, between two standard errors. Above 0, too much was promised.",
            ("max by (forecast) (hotspots_forecast_bias)", "{{forecast}}"),
            (
                "max by (forecast) (hotspots_forecast_bias + 2 * hotspots_forecast_bias_error)",
                "{{forecast}}, upper",
            ),
            (
                "max by (forecast) (hotspots_forecast_bias - 2 * hotspots_forecast_bias_error)",
                "{{forecast}}, lower",
            ),
            unit="percentunit",
            width=8,
            is_signed=True,
        ),
        pictured(
            "Loss",
            "Mean logarithmic loss of the last candidate and of what is said without it, on the "
            "same moments: lower is better.",
            ("max by (forecast) (hotspots_forecast_log_loss)", "{{forecast}}"),
            width=8,
        ),
        pictured(
            "What is learned",
            "Candidates by what became of them; one is adopted when it is better by more than its "
            "standard error.",
            ("sum by (outcome) (increase(hotspots_forecast_candidates_total[1d]))", "{{outcome}}"),
            width=8,
            bars=True,
        ),
        pictured(
            "Moments to learn from",
            "Kept now, and matured so far.",
            ("max by (state) (hotspots_forecast_moments)", "{{state}}"),
            width=8,
        ),
        pictured(
            "Learning",
            "Seconds that learning took of each epoch that has ended.",
            (
                (
                    "sum(increase(hotspots_learning_duration_seconds_sum[1h])) "
                    "/ sum(increase(hotspots_learning_duration_seconds_count[1h])) >= 0"
                ),
                "mean",
            ),
            unit="s",
            width=8,
        ),
        pictured(
            "Discoveries",
            "Videos discovered in a day, and among how many, under the promised false discovery "
            "rate.",
            ("sum(increase(hotspots_discoveries_total[1d]))", "discovered"),
            ("max(hotspots_tested_videos)", "tested in the latest epoch"),
            width=8,
        ),
        Row("Alerts and what became of them"),
        figure(
            "Emerging, of a week",
            "`hotspot.emerging`: works told before they reached the level.",
            'sum(increase(hotspots_alerts_total{type="hotspot.emerging"}[7d]))',
            width=6,
        ),
        figure(
            "Confirmed, of a week",
            "`hotspot.confirmed`: works that reached the level, told before or not.",
            'sum(increase(hotspots_alerts_total{type="hotspot.confirmed"}[7d]))',
            width=6,
        ),
        figure(
            "Withheld by the budget, of a week",
            "More than HOTSPOTS_ALERTS_PER_DAY can be read (docs/budget.md).",
            'sum(increase(hotspots_withheld_total{reason=~"score_below_bar|budget_spent"}[7d]))',
            width=6,
        ),
        figure(
            "Withheld for a suspicion, of a week",
            "Suspected to be pushed (docs/integrity.md).",
            'sum(increase(hotspots_withheld_total{reason="coordinated_push_suspected"}[7d]))',
            width=6,
        ),
        pictured(
            "Alerts by type",
            "In an hour.",
            ("sum by (type) (increase(hotspots_alerts_total[1h])) > 0", "{{type}}"),
            bars=True,
        ),
        pictured(
            "Withheld by reason",
            "In an hour.",
            ("sum by (reason) (increase(hotspots_withheld_total[1h]))", "{{reason}}"),
            bars=True,
        ),
        Row("Evidence"),
        pictured(
            "Transitions by juncture",
            "In an hour. The promise is HOTSPOTS_ALARM_RATE_PER_VIDEO_DAY false ones per video and "
            "day (docs/detectors.md).",
            ("sum by (juncture) (increase(hotspots_transitions_total[1h]))", "{{juncture}}"),
            width=8,
            bars=True,
        ),
        pictured(
            "Names that are one work",
            "Pairs of topics that are one work under two names (docs/topics.md).",
            ("max(hotspots_merged_topics)", "pairs"),
            width=8,
        ),
        pictured(
            "Late and repeated events",
            "Of a hundred events: late ones count in totals only, repeated ones not at all.",
            (
                (
                    "sum(rate(hotspots_events_late_total[$__rate_interval])) "
                    "/ sum(rate(hotspots_events_total[$__rate_interval]))"
                ),
                "late",
            ),
            (
                (
                    "sum(rate(hotspots_events_repeated_total[$__rate_interval])) "
                    "/ sum(rate(hotspots_events_total[$__rate_interval]))"
                ),
                "repeated",
            ),
            unit="percentunit",
            width=8,
        ),
    )
