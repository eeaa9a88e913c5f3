"""The dashboard *Operations*: does the monitor keep up, is it well, what does it refuse."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from panels import figure, filled, page, pictured


def operations() -> Dashboard:
    """Return the dashboard."""
    return filled(
        page(
            "hotspots-operations",
            "Operations",
            "Whether the monitor keeps up and is well; what to do is in docs/runbook.md.",
            last="1h",
        ),
        figure("Events", "A second, of the last minutes.", "hotspots:events:rate5m", unit="cps"),
        figure(
            "Behind the input",
            "How long what waits takes at the present pace. Above 15 s alerts come late.",
            "hotspots:input_lag_seconds",
            unit="s",
        ),
        figure(
            "Refused",
            "Of the messages of the input. More than 1 %: the platform breaks the contract.",
            "hotspots:rejects:ratio_rate5m",
            unit="percentunit",
        ),
        figure("Workers", "Those that answer.", 'sum(up{job="hotspots"})'),
        figure(
            "Longest standstill",
            "Of an agent that has work. At HOTSPOTS_STALL_MS `/healthz` answers 503.",
            "max(hotspots_progress_age_seconds)",
            unit="s",
        ),
        figure(
            "Held partitions",
            "Wait for a version of what is learned; for minutes is too long.",
            "sum(hotspots_held_partitions)",
        ),
        Row("Flow"),
        pictured(
            "Events",
            "Valid, late (counted in totals only) and repeated ones (dropped).",
            ("sum(rate(hotspots_events_total[$__rate_interval]))", "valid"),
            ("sum(rate(hotspots_events_late_total[$__rate_interval]))", "late"),
            ("sum(rate(hotspots_events_repeated_total[$__rate_interval]))", "repeated"),
            unit="cps",
            width=8,
        ),
        pictured(
            "Refused by reason",
            "Originals and reasons are on `engagement-rejected`.",
            ("sum by (reason) (rate(hotspots_rejects_total[$__rate_interval]))", "{{reason}}"),
            unit="cps",
            width=8,
            stacked=True,
        ),
        pictured(
            "Waiting",
            "Messages not yet processed, by topic.",
            ("hotspots:lag_messages:sum", "{{topic}}"),
            width=8,
        ),
        pictured(
            "Watermarks",
            "How far each partition's event time lies behind the clock. One that stays behind "
            "holds back decisions of all.",
            ("max by (partition) (hotspots_watermark_delay_seconds)", "partition {{partition}}"),
            unit="s",
            width=8,
        ),
        pictured(
            "Fetched chunks",
            "Mean size of what an agent is given at a time. Small ones at a high lag: the fetch "
            "is what is slow.",
            (
                (
                    "sum by (agent) (rate(hotspots_chunk_bytes_sum[$__rate_interval])) "
                    "/ sum by (agent) (rate(hotspots_chunk_bytes_count[$__rate_interval]))"
                ),
                "{{agent}}",
            ),
            unit="bytes",
            width=8,
        ),
        pictured(
            "Messages between the agents",
            "Batches that intake has written, by kind, and those that were dropped as repeated.",
            ("sum by (kind) (rate(hotspots_batches_total[$__rate_interval]))", "{{kind}}"),
            ("sum(rate(hotspots_batches_repeated_total[$__rate_interval]))", "repeated"),
            unit="cps",
            width=8,
        ),
        Row("State"),
        pictured(
            "Checkpoints, 99 %",
            "From the cut to the acknowledged commit.",
            ("hotspots:checkpoint_duration_seconds:p99_5m >= 0", "{{agent}}"),
            unit="s",
            width=8,
        ),
        pictured(
            "Rows in memory",
            "Videos for stages; works and their videos for hotspots.",
            ("sum by (agent) (hotspots_rows)", "{{agent}}"),
            width=8,
        ),
        pictured(
            "Recoveries",
            "Changelogs of partitions that were read after they were assigned, in an hour.",
            (
                "sum by (agent) (increase(hotspots_recovery_duration_seconds_count[1h]))",
                "{{agent}}",
            ),
            width=8,
            bars=True,
        ),
        pictured(
            "Handed on",
            "Attempts to hand alerts and the board on; what failed is tried again.",
            (
                "sum by (what, outcome) (rate(hotspots_delivery_attempts_total[$__rate_interval]))",
                "{{what}} {{outcome}}",
            ),
            unit="cps",
            width=8,
        ),
        pictured(
            "Standstill",
            "For how long the slowest part of an agent has not moved although there is work.",
            ("max by (agent) (hotspots_progress_age_seconds)", "{{agent}}"),
            unit="s",
            width=8,
        ),
        pictured(
            "Starts",
            "Of each worker in a quarter of an hour; three are too many.",
            ('changes(process_start_time_seconds{job="hotspots"}[15m])', "{{instance}}"),
            width=8,
            bars=True,
        ),
        Row("Hooks"),
        pictured(
            "Attempts",
            "To deliver to each receiver (docs/hooks.md), by what came of them.",
            (
                "sum by (route, outcome) (rate(hotspots_hook_attempts_total[$__rate_interval]))",
                "{{route}} {{outcome}}",
            ),
            unit="cps",
            width=8,
        ),
        pictured(
            "Alerts of a route",
            "In an hour, by what became of them; those undelivered are on `alerts-undelivered`.",
            (
                "sum by (route, fate) (increase(hotspots_hook_alerts_total[1h]))",
                "{{route}} {{fate}}",
            ),
            width=8,
            bars=True,
        ),
        pictured(
            "Waiting for another attempt",
            "Alerts of a route; for Alertmanager, those that fire.",
            ("sum by (route) (hotspots_hook_waiting)", "{{route}}"),
            ("sum by (route) (hotspots_hook_ended)", "{{route}} has ended (410)"),
            width=8,
        ),
        Row("Process"),
        pictured(
            "Memory",
            "Resident memory of each worker.",
            ('process_resident_memory_bytes{job="hotspots"}', "{{instance}}"),
            unit="bytes",
            width=8,
        ),
        pictured(
            "Processor",
            "Cores that each worker uses.",
            (
                'rate(process_cpu_seconds_total{job="hotspots"}[$__rate_interval])',
                "{{instance}}",
            ),
            width=8,
        ),
        pictured(
            "Open files",
            "Connections to Kafka and Redis, mostly.",
            ('process_open_fds{job="hotspots"}', "{{instance}}"),
            width=8,
        ),
    )
