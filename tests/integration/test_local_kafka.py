"""The embedded Kafka as its users meet it: real broker, real clients."""

import pytest
from kafka.admin import KafkaAdminClient

from streams.local.kafka import EmbeddedKafka

pytestmark = pytest.mark.kafka


def test_it_answers_with_its_own_cluster_id(kafka: EmbeddedKafka) -> None:
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers) as admin:
        assert admin.describe_cluster()["cluster_id"] == kafka.cluster_id
