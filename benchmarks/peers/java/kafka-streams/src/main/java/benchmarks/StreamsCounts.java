package benchmarks;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams: exactly_once_v2, windows in RocksDB with a changelog; `variant` = threads. */
public final class StreamsCounts {
    private static final Duration RETENTION = Duration.ofDays(2);

    private StreamsCounts() {}

    public static void main(String[] given) throws Exception {
        var told = Peer.arguments(given);
        var builder = new StreamsBuilder();
        // Records of several sources interleave after the repartition and would look late: the
        // time of a task is the greatest it has seen. Hence a day of grace.
        var windows =
                TimeWindows.ofSizeAndGrace(Duration.ofMillis(Peer.WINDOW_MS), Duration.ofDays(1));
        var store =
                Stores.persistentWindowStore(
                        "counts", RETENTION, Duration.ofMillis(Peer.WINDOW_MS), false);
        var consumed =
                Consumed.with(Serdes.ByteArray(), events())
                        .withTimestampExtractor(
                                (message, high) ->
                                        message.value() == null
                                                ? Math.max(high, 0)
                                                : ((Peer.Event) message.value()).timeMs());
        builder.stream(told.get("topic"), consumed)
                .filter((key, event) -> event != null)
                .selectKey((key, event) -> event.key())
                .mapValues(event -> new byte[0])
                .groupByKey(Grouped.with("counts", Serdes.String(), Serdes.ByteArray()))
                .windowedBy(windows)
                .count(
                        Materialized.<String, Long>as(store)
                                .withKeySerde(Serdes.String())
                                .withCachingEnabled());
        var streams = new KafkaStreams(builder.build(), settings(told));
        streams.start();
        waitUntilCommitted(told);
        Peer.say("done");
        Peer.waitToBeRead();
        write(streams, Path.of(told.get("counts")));
        System.exit(0);
    }

    private static Properties settings(Map<String, String> told) {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, told.get("group"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, told.get("bootstrap"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, told.get("state"));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, told.get("variant"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L << 20);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 20_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(
                StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 50);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 262_144);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L << 20);
        return settings;
    }

    private static Serde<Peer.Event> events() {
        Serializer<Peer.Event> none =
                (topic, event) -> {
                    throw new UnsupportedOperationException("events are only read");
                };
        Deserializer<Peer.Event> parser =
                (topic, line) -> {
                    if (line == null) {
                        return null;
                    }
                    Peer.sayFirst();
                    try {
                        return Peer.parse(line);
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                };
        return Serdes.serdeFrom(none, parser);
    }

    /** Waits until the input, and then what it became in the repartition topic, is committed. */
    private static void waitUntilCommitted(Map<String, String> told) throws Exception {
        String group = told.get("group");
        Map<String, Object> where = Map.of("bootstrap.servers", told.get("bootstrap"));
        try (Admin admin = Admin.create(where)) {
            for (String topic : new String[] {told.get("topic"), group + "-counts-repartition"}) {
                while (!isCommitted(admin, group, topic)) {
                    Thread.sleep(50);
                }
            }
        }
    }

    private static boolean isCommitted(Admin admin, String group, String topic) throws Exception {
        if (!admin.listTopics().names().get().contains(topic)) {
            return false;
        }
        var wanted = new HashMap<TopicPartition, OffsetSpec>();
        var described = admin.describeTopics(java.util.List.of(topic)).allTopicNames().get();
        for (var partition : described.get(topic).partitions()) {
            wanted.put(new TopicPartition(topic, partition.partition()), OffsetSpec.latest());
        }
        var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        var committedOnly = new ListOffsetsOptions(IsolationLevel.READ_COMMITTED);
        var ends = admin.listOffsets(wanted, committedOnly).all().get();
        for (var end : ends.entrySet()) {
            var offset = committed.get(end.getKey());
            // The last offset may be the mark of a transaction, which nobody reads.
            if (offset == null || offset.offset() < end.getValue().offset() - 1) {
                return false;
            }
        }
        return true;
    }

    private static void write(KafkaStreams streams, Path path) throws IOException {
        var store =
                streams.store(
                        StoreQueryParameters.fromNameAndType(
                                "counts", QueryableStoreTypes.<String, Long>windowStore()));
        try (BufferedWriter file = Files.newBufferedWriter(path);
                KeyValueIterator<Windowed<String>, Long> rows = store.all()) {
            while (rows.hasNext()) {
                var row = rows.next();
                file.write(row.key.window().start() + "\t" + row.key.key() + "\t" + row.value + "\n");
            }
        }
    }
}
