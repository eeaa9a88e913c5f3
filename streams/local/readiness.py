"""Whether the Kafka at an address is ours and ready."""

import socket
from typing import Final

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from streams.local.broker_settings import NODE_ID
from streams.local.errors import LocalServerError, Reason
from streams.local.processes import LOOPBACK

CONNECT_SECONDS: Final = 0.5
ANSWER_MS: Final = 5_000


def listens(port: int) -> bool:
    """Tell whether anybody accepts connections on the loopback port."""
    try:
        socket.create_connection((LOOPBACK, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def is_ready(port: int, cluster_id: str) -> bool:
    """Tell whether our broker answers at `port` and has joined its cluster.

    Args:
        port: The loopback port.
        cluster_id: The id of our own cluster.

    Raises:
        LocalServerError: A broker of another cluster answers (PORT_TAKEN).
    """
    # A plain connection first: the client would log every refusal as a warning.
    if not listens(port):
        return False
    try:
        with KafkaAdminClient(
            bootstrap_servers=f"{LOOPBACK}:{port}",
            bootstrap_timeout_ms=ANSWER_MS,
            request_timeout_ms=ANSWER_MS,
        ) as admin:
            cluster = admin.describe_cluster()
    except KafkaError:
        # It listens but does not serve yet; the caller asks again until its own deadline.
        return False
    if cluster["cluster_id"] != cluster_id:
        raise LocalServerError(
            Reason.PORT_TAKEN,
            f"another Kafka, of cluster {cluster['cluster_id']}, answers on our port",
            where=f"{LOOPBACK}:{port}",
            remedy="end that Kafka, or name another port",
        )
    return any(
        broker["broker_id"] == NODE_ID and not broker.get("is_fenced", False)
        for broker in cluster["brokers"]
    )
