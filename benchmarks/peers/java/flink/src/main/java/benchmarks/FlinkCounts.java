package benchmarks;

import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Flink in one process: parallelism 2, object reuse, a checkpoint every 10 s, exactly-once files. */
public final class FlinkCounts {
    private FlinkCounts() {}

    public static void main(String[] given) throws Exception {
        var told = Peer.arguments(given);
        var settings = new Configuration();
        boolean rocks = "rocksdb".equals(told.get("variant"));
        settings.setString("state.backend.type", rocks ? "rocksdb" : "hashmap");
        settings.setString("execution.checkpointing.interval", "10 s");
        settings.setString("execution.checkpointing.storage", "filesystem");
        settings.setString(
                "execution.checkpointing.dir", java.nio.file.Path.of(told.get("state")).toUri().toString());
        settings.setString("execution.checkpointing.incremental", "true");
        // A timer for each window of each key: on the heap they are cheaper than in RocksDB.
        settings.setString("state.backend.rocksdb.timer-service.factory", "HEAP");
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("pipeline.generic-types", "false");
        settings.setString("taskmanager.memory.managed.size", rocks ? "512 mb" : "16 mb");
        settings.setString("taskmanager.memory.network.min", "64 mb");
        settings.setString("taskmanager.memory.network.max", "64 mb");
        var environment = StreamExecutionEnvironment.createLocalEnvironment(2, settings);

        var source =
                KafkaSource.<Tuple2<String, Long>>builder()
                        .setBootstrapServers(told.get("bootstrap"))
                        .setTopics(told.get("topic"))
                        .setGroupId(told.get("group"))
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        .setBounded(OffsetsInitializer.latest())
                        .setProperty("max.poll.records", "10000")
                        .setDeserializer(new Lines())
                        .build();
        var watermarks =
                WatermarkStrategy.<Tuple2<String, Long>>forBoundedOutOfOrderness(Duration.ofSeconds(2))
                        .withTimestampAssigner((event, appended) -> event.f1);
        environment
                .fromSource(source, watermarks, "events")
                .returns(Types.TUPLE(Types.STRING, Types.LONG))
                .keyBy(event -> event.f0, Types.STRING)
                .window(TumblingEventTimeWindows.of(Duration.ofMillis(Peer.WINDOW_MS)))
                .aggregate(new Count(), new Row(), Types.LONG, Types.LONG, Types.STRING)
                .sinkTo(
                        FileSink.forRowFormat(
                                        new Path(java.nio.file.Path.of(told.get("counts")).toUri()),
                                        new SimpleStringEncoder<String>("UTF-8"))
                                .build());
        JobClient job = environment.executeAsync("counts");
        job.getJobExecutionResult().get();
        Peer.say("done");
        Peer.waitToBeRead();
        System.exit(0);
    }

    /** Parses where the bytes are read; an end mark has no value and is no event. */
    static final class Lines implements KafkaRecordDeserializationSchema<Tuple2<String, Long>> {
        @Override
        public void deserialize(
                ConsumerRecord<byte[], byte[]> message, Collector<Tuple2<String, Long>> out)
                throws IOException {
            if (message.value() == null) {
                return;
            }
            Peer.sayFirst();
            var event = Peer.parse(message.value());
            out.collect(Tuple2.of(event.key(), event.timeMs()));
        }

        @Override
        public TypeInformation<Tuple2<String, Long>> getProducedType() {
            return Types.TUPLE(Types.STRING, Types.LONG);
        }
    }

    static final class Count implements AggregateFunction<Tuple2<String, Long>, Long, Long> {
        @Override
        public Long createAccumulator() {
            return 0L;
        }

        @Override
        public Long add(Tuple2<String, Long> event, Long count) {
            return count + 1;
        }

        @Override
        public Long getResult(Long count) {
            return count;
        }

        @Override
        public Long merge(Long one, Long other) {
            return one + other;
        }
    }

    static final class Row extends ProcessWindowFunction<Long, String, String, TimeWindow> {
        @Override
        public void process(
                String key, Context context, Iterable<Long> counts, Collector<String> out) {
            out.collect(context.window().getStart() + "\t" + key + "\t" + counts.iterator().next());
        }
    }
}
