"""`hotspots worker`: the Faust worker against the settings."""

import click


@click.command("worker")
def command() -> None:
    """Follow the platform's events and raise alerts, until SIGTERM or Ctrl-C.

    Reads HOTSPOTS_* settings (docs/settings.md); HOTSPOTS_KAFKA and HOTSPOTS_ACTOR_KEY are
    required. Several workers with the same settings share the work.
    """
    from streams.garbage import put_off_searches
    from streams.settings import load_settings

    settings = load_settings()
    put_off_searches()
    # What loads Faust and the clients comes after: wrong settings are told at once.
    from streams.preflight import require_kafka, warn_of_redis
    from streams.worker import run_worker

    require_kafka(settings)
    warn_of_redis(settings)
    run_worker(settings)
