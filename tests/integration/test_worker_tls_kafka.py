"""A worker that reaches Kafka through TLS with a password does all that another does."""

import shutil
from pathlib import Path

import pytest
from pipeline import Pipeline
from test_check import PLAIN_MODULE, make_certificates

from streams.local.kafka import EmbeddedKafka


@pytest.mark.kafka
@pytest.mark.asyncio
async def test_exact_through_tls_and_sasl(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates")
    authority, store = make_certificates(tmp_path)
    settings = {
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_SSL"
        ),
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.guarded.plain.sasl.jaas.config": f'{PLAIN_MODULE} user_worker="right";',
        "listener.name.guarded.ssl.keystore.type": "PEM",
        "listener.name.guarded.ssl.keystore.location": str(store),
    }
    with EmbeddedKafka(settings=settings, listeners=["GUARDED"]) as guarded:
        pipeline = Pipeline(guarded.bootstrap_servers, tmp_path)
        await pipeline.produce(2_000, seed=1)
        try:
            worker = pipeline.start_worker(
                HOTSPOTS_KAFKA=guarded.address_of("GUARDED"),
                HOTSPOTS_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
                HOTSPOTS_KAFKA_SASL_MECHANISM="PLAIN",
                HOTSPOTS_KAFKA_SASL_USERNAME="worker",
                HOTSPOTS_KAFKA_SASL_PASSWORD="right",  # noqa: S106 - the password of a test
                HOTSPOTS_KAFKA_SSL_CAFILE=str(authority),
            )
            await pipeline.wait_until_done()
            await pipeline.stop(worker)
            await pipeline.assert_exact()
        finally:
            pipeline.stop_workers()
            print(pipeline.logs())  # noqa: T201 - pytest shows it when the test fails
