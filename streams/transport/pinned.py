"""What we rely on inside Faust and aiokafka, pinned: an upgrade that changes it fails a test.

Overridden or called functions are pinned by the SHA-256 of their source, attributes that are read
or set by their mere name in the source of the function that makes them. After an upgrade: read what
changed, adapt, run the exactly-once tests, then `python -m streams.transport.pinned` prints the
new table.
"""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

VERSIONS: Final[Mapping[str, str]] = {
    "faust-streaming": "0.15.3",
    "aiokafka": "0.14.0",
}
"""The versions that the hashes below belong to."""

SOURCES: Final[Mapping[str, tuple[str, str]]] = {
    "aiokafka.consumer.fetcher:PartitionRecords.__init__": (
        "8ec1c2ae6ea1af87",
        "chunks.py reads its attributes",
    ),
    "aiokafka.consumer.fetcher:PartitionRecords._unpack_records": (
        "b803e6d46480732c",
        "overridden in chunks.py",
    ),
    "aiokafka.consumer.fetcher:PartitionRecords._consume_aborted_up_to": (
        "56876530cd6412f3",
        "called in chunks.py",
    ),
    "aiokafka.consumer.fetcher:PartitionRecords._contains_abort_marker": (
        "17e9ad2322ef4e0a",
        "called in chunks.py",
    ),
    "aiokafka.consumer.fetcher:FetchResult.getall": (
        "3e717e30de5068d5",
        "counts what _unpack_records yields and takes the position from it",
    ),
    "aiokafka.consumer.fetcher:FetchResult.check_assignment": (
        "b5340df67e3f330f",
        "drops what was fetched for another position",
    ),
    "aiokafka.consumer.fetcher:Fetcher._proc_fetch_request": (
        "59bf948fff47eed5",
        "looks PartitionRecords and MemoryRecords up in its module",
    ),
    "aiokafka.consumer.fetcher:Fetcher.seek_to": (
        "f0ba6aba6c22ef83",
        "drops what was fetched before a seek",
    ),
    "aiokafka.consumer.consumer:AIOKafkaConsumer.start": (
        "2f1ba70443327538",
        "hands the marked deserializer, isolation and wait to its fetcher",
    ),
    "aiokafka.consumer.consumer:AIOKafkaConsumer.committed": (
        "d8706147ab1573ad",
        "its answer is what was committed",
    ),
    "aiokafka.consumer.consumer:AIOKafkaConsumer.last_stable_offset": (
        "ed875fe136b96e88",
        "its answer is where committed data end",
    ),
    "aiokafka.client:AIOKafkaClient.set_topics": (
        "9f9b55d6d8997834",
        "called in topics.py",
    ),
    "faust.tables.manager:TableManager.on_start": (
        "365dd25fbc0e0684",
        "overridden in tables.py",
    ),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._create_worker_consumer": (
        "c2701bfc3e6f6cad",
        "extended in consumer.py",
    ),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._fetch_records": (
        "39a2c6c79fc1455a",
        "extended in consumer.py",
    ),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.seek": (
        "1498560d05f02582",
        "called in its own thread",
    ),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._highwaters": (
        "a7f4f97d9f32aca2",
        "gives the end of committed data",
    ),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.earliest_offsets": (
        "5d697cd768735af7",
        "called in consumer.py",
    ),
    "faust.transport.drivers.aiokafka:Consumer._new_consumer_thread": (
        "0870ec53dea75083",
        "overridden in consumer.py",
    ),
    "faust.transport.drivers.aiokafka:Consumer._to_message": (
        "7c24f6511b2fcef7",
        "reads the attributes of ChunkRecord",
    ),
    "faust.transport.consumer:Consumer._drain_messages": (
        "44a2500309e83c63",
        "drops messages by _read_offset, which we replace",
    ),
    "faust.transport.consumer:Consumer.getmany": (
        "4b168d84882a70d6",
        "seeks when it finds the flow stopped",
    ),
    "faust.transport.consumer:Consumer._wait_next_records": (
        "6218e1969a636b3f",
        "extended in consumer.py",
    ),
    "faust.transport.consumer:Consumer.seek": (
        "b86a9fe05f956b30",
        "calls _seek, which we override",
    ),
    "faust.transport.consumer:Consumer.perform_seek": (
        "0e8c130ff4b0afd8",
        "overridden in consumer.py",
    ),
    "faust.transport.consumer:Consumer.force_commit": (
        "cc094614d22c70fb",
        "overridden in consumer.py",
    ),
    "faust.transport.consumer:Consumer.commit": (
        "a354437baaa08bf8",
        "the timer's way to force_commit",
    ),
    "faust.transport.consumer:Consumer.on_stop": (
        "45b1d2210ce2b526",
        "the stop's way to force_commit",
    ),
    "faust.transport.consumer:Consumer._add_gap": (
        "4df2573ded7c1c2c",
        "overridden in consumer.py",
    ),
    "faust.transport.consumer:Consumer.verify_all_partitions_active": (
        "4e0e46f5c297305d",
        "overridden in consumer.py",
    ),
    "faust.transport.consumer:Consumer.on_partitions_revoked": (
        "d04b7ae72c6fc206",
        "extended in consumer.py",
    ),
    "faust.transport.consumer:Consumer.on_partitions_assigned": (
        "29ce96596f05a18c",
        "extended in consumer.py",
    ),
    "faust.transport.consumer:Consumer.pause_partitions": (
        "27a1c94bdacd54de",
        "holds a partition",
    ),
    "faust.transport.consumer:Consumer.resume_partitions": (
        "afe6b7c02a41d63c",
        "releases a partition",
    ),
    "faust.app.base:App._new_transport": (
        "42db531312dd776f",
        "overridden in assembly.py",
    ),
    "faust.app.base:App._create_directories": (
        "a9f571c3b04abec3",
        "overridden in assembly.py",
    ),
    "faust.app.base:App.on_first_start": (
        "ec655d9c223403cc",
        "extended in assembly.py",
    ),
    "faust.app.base:App.on_stop": (
        "bfe5a933defb2324",
        "extended in assembly.py",
    ),
    "faust.app.base:App.on_rebalance_end": (
        "b7ff69e1e3772f30",
        "extended in assembly.py: processing begins",
    ),
    "faust.app.base:App._on_partitions_revoked": (
        "d5c895bbe57dc73a",
        "runs after our last checkpoint",
    ),
    "faust.app.base:App._on_partitions_assigned": (
        "de932b7927db85b3",
        "runs after our hosts have taken over",
    ),
    "faust.app.base:BootStrategy._should_enable_web": (
        "2b6c66a4448a58f3",
        "keeps the web server off",
    ),
    "faust.tables.recovery:Recovery.on_rebalance": (
        "aa4d997a1795ceae",
        "begins recovery at active_offsets",
    ),
    "faust.tables.recovery:Recovery._restart_recovery": (
        "6bd8a8558a2dffe4",
        "the order of recovery",
    ),
    "faust.tables.recovery:Recovery.on_recovery_completed": (
        "6ef567acf072e46d",
        "ends with App.on_rebalance_end, after the last clearing of queues",
    ),
    "faust.tables.recovery:Recovery._resume_streams": (
        "d986a6710c1aca98",
        "the same without tables",
    ),
    "faust.tables.recovery:Recovery._slurp_changelogs": (
        "7825c7e50f766d5a",
        "swallows errors and calls our table",
    ),
    "faust.tables.recovery:Recovery._build_offsets": (
        "27eec86be06cb51f",
        "where recovery reads from",
    ),
    "faust.tables.base:Collection.persisted_offset": (
        "d473d3ab3fd6f036",
        "overridden in tables.py",
    ),
    "faust.tables.base:Collection.on_rebalance": (
        "0812ad692171a8fd",
        "overridden in tables.py",
    ),
    "faust.tables.base:Collection.on_changelog_event": (
        "5a4fa48fd7c3fd10",
        "overridden in tables.py",
    ),
    "faust.tables.base:Collection.apply_changelog_batch": (
        "b980a78d3ae9b1e8",
        "overridden in tables.py",
    ),
    "faust.tables.base:Collection.on_recovery_completed": (
        "b1526fb39ea0e77e",
        "overridden in tables.py",
    ),
    "faust.assignor.partition_assignor:PartitionAssignor._get_copartitioned_groups": (
        "82b7a3764ad596f6",
        "assigns a changelog with its topic by equal numbers of partitions",
    ),
    "mode.services:Service._crash": (
        "7bc0c709a151d556",
        "overridden in assembly.py",
    ),
    "aiokafka.producer.producer:AIOKafkaProducer.start": (
        "bae900a5e83a6d97",
        "fences the previous owner of a transactional id",
    ),
    "aiokafka.producer.producer:AIOKafkaProducer.send_batch": (
        "bf42b0f0c5c0646d",
        "writes rows",
    ),
    "aiokafka.producer.producer:AIOKafkaProducer.send_offsets_to_transaction": (
        "4b58002b44962a5c",
        "sends no group generation",
    ),
    "aiokafka.record.memory_records:_MemoryRecordsPy._cache_next": (
        "7bb73a2eabca4ee3",
        "chunks.py counts its bytes on in the same steps",
    ),
    "aiokafka.producer.message_accumulator:MessageAccumulator.add_batch": (
        "5ed1c5b1367ad854",
        "keeps record batches of a partition in order",
    ),
    "aiokafka.producer.message_accumulator:BatchBuilder.append": (
        "657d76f55157d9ca",
        "takes one record of any size into an empty batch",
    ),
    "aiokafka.admin.new_topic:NewTopic.__init__": (
        "ec7ad2c7582f9137",
        "replication_factor is set after it",
    ),
}
"""For each function: the SHA-256 of its source, cut to 16 digits, and why we rely on it."""


def _source_of(name: str) -> str | None:
    """Return the source of `module:qualified.name`, None when there is none."""
    module, _, path = name.partition(":")
    found: object = importlib.import_module(module)
    for part in path.split("."):
        found = vars(found).get(part) if inspect.isclass(found) else getattr(found, part, None)
        if found is None:
            return None
    found = getattr(found, "fun", found)  # mode wraps its tasks in `ServiceTask`
    return inspect.getsource(inspect.unwrap(found))  # type: ignore[arg-type] # a function or class


def fingerprint(name: str) -> str | None:
    """Return the first 16 hexadecimal digits of the SHA-256 of a function's source."""
    source = _source_of(name)
    return None if source is None else hashlib.sha256(source.encode()).hexdigest()[:16]


def changes() -> list[str]:
    """Return what differs from what is pinned, one line each; nothing when all is as it was."""
    lines = []
    for package, pinned in VERSIONS.items():
        if version(package) != pinned:
            lines.append(f"{package} is {version(package)}, pinned is {pinned}")
    for name, (pinned, why) in SOURCES.items():
        now = fingerprint(name)
        if now is None:
            lines.append(f"{name} is gone; {why}")
        elif now != pinned:
            lines.append(f"{name} has changed ({now}, pinned is {pinned}); {why}")
    return lines


def main() -> None:
    """Print the table for the installed versions."""
    for name, (_, why) in SOURCES.items():
        sys.stdout.write(
            f'    "{name}": (\n        "{fingerprint(name)}",\n        "{why}",\n    ),\n'
        )


if __name__ == "__main__":
    main()
