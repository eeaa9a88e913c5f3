"""What a worker makes sure of before it starts: that Kafka lets it do all that it will do.

A worker that starts anyway would end later, in the middle of a checkpoint, with less to say.
"""

import asyncio
import logging

from streams.connections import check_brokers, check_redis
from streams.delivery.hooks import hook_groups, usable_receivers
from streams.errors import UserError
from streams.rights import check_rights
from streams.settings import Settings

log = logging.getLogger(__name__)


def require_kafka(settings: Settings) -> None:
    """Make sure that a broker answers and that the user has every right a worker needs.

    One bootstrap server is enough: a worker must be able to start while a broker is being
    restarted.

    Raises:
        UserError: No bootstrap server answers, or rights are missing, or the hooks cannot be used;
            all problems are told.
    """
    brokers = asyncio.run(check_brokers(settings))
    if not brokers.servers:
        raise UserError.of(brokers.problems)
    for problem in brokers.problems:
        log.warning("%s", problem)
    rights = check_rights(
        settings.model_copy(update={"kafka": ",".join(brokers.servers)}),
        hook_groups=hook_groups(settings, usable_receivers(settings)),
    )
    if not rights.ok:
        raise UserError.of(rights.problems)


def warn_of_redis(settings: Settings) -> None:
    """Say what is wrong with Redis; a board that is down must not keep the monitor from running."""
    for problem in asyncio.run(check_redis(settings)).problems:
        log.warning("%s; alerts and the board wait in their topics", problem)
