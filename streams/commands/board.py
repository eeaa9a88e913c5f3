"""`hotspots board`: the live board, a page and the HTTP API behind it."""

import click


@click.command("board")
@click.option("--host", metavar="ADDRESS", help="Above HOTSPOTS_BOARD_HOST.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Above HOTSPOTS_BOARD_PORT; 0: any.")
def command(host: str | None, port: int | None) -> None:
    """Serve the live board from Redis (HOTSPOTS_REDIS), until SIGTERM or Ctrl-C.

    What became hot, how and why, in a page; the API behind it is described at
    /api/v1/openapi.json (docs/board.md). It may be read without a token; HOTSPOTS_BOARD_TOKEN
    allows to acknowledge, assign and silence, and with HOTSPOTS_KAFKA to record actions.
    """
    import asyncio
    import logging
    import signal

    from streams.board.server import address_of, listen, server_of
    from streams.settings import load_settings

    given = {"board_host": host, "board_port": port}
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = load_settings(needs=("redis",), overrides=overrides)
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    server = server_of(settings)
    # Not an error: what was told to end has ended, whenever it was told.
    signal.signal(signal.SIGTERM, lambda *_: server.end())
    with listen(settings) as listener:
        click.echo(f"The board is on {address_of(listener)}")
        asyncio.run(server.serve([listener]))
