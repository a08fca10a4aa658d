import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.function.Supplier;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.Stores;

/** Sums a topic of inference events in windows of 10 s by group. */
public final class Main {
  private static final Duration WINDOW = Duration.ofMillis(LocalSums.WINDOW_MS);
  private static final Duration GRACE = Duration.ofHours(24);
  private static final long COUNT_TIMEOUT_MS = 30_000;
  private static final long COUNT_PAUSE_MS = 200;

  private Main() {}

  /** Arguments: shuffled, local or sketches; servers; topic; group; events; folder of the state. */
  public static void main(String[] args) throws InterruptedException {
    boolean isShuffled = args[0].equals("shuffled");
    long events = Long.parseLong(args[4]);
    Progress progress = new Progress(events, isShuffled ? 2 : 1);
    Topology topology =
        isShuffled
            ? shuffled(args[2], progress)
            : local(args[2], args[0].equals("sketches"), progress);
    try (KafkaStreams streams = new KafkaStreams(topology, settings(args))) {
      streams.setUncaughtExceptionHandler(
          error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
          });
      streams.start();
      progress.await();
      Supplier<Long> counted = () -> isShuffled ? inWindowStore(streams) : inStore(streams);
      System.out.println("counted " + waitFor(counted, events));
    }
  }

  /** As the documentation shows it: a repartition by group, so that each window has one row. */
  private static Topology shuffled(String topic, Progress progress) {
    StreamsBuilder builder = new StreamsBuilder();
    events(builder, topic)
        .peek((key, event) -> progress.add())
        .groupBy((key, event) -> event.group(), Grouped.with(Group.serde(), Event.measures()))
        .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
        .aggregate(
            () -> new Sums(false),
            (group, event, sums) -> {
              progress.add();
              return sums.add(event);
            },
            Materialized.<Group, Sums>as(
                    Stores.inMemoryWindowStore(
                        LocalSums.STORE, GRACE.plus(WINDOW), WINDOW, false))
                .withKeySerde(Group.serde())
                .withValueSerde(Sums.serde(false))
                .withCachingEnabled());
    return builder.build();
  }

  private static Topology local(String topic, boolean withSketches, Progress progress) {
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(
        Stores.keyValueStoreBuilder(
            Stores.inMemoryKeyValueStore(LocalSums.STORE),
            new WindowedSerdes.TimeWindowedSerde<>(Group.serde(), LocalSums.WINDOW_MS),
            Sums.serde(withSketches)));
    events(builder, topic).process(() -> new LocalSums(withSketches, progress), LocalSums.STORE);
    return builder.build();
  }

  private static KStream<byte[], Event> events(StreamsBuilder builder, String topic) {
    return builder.stream(
        topic,
        Consumed.with(
                Serdes.ByteArray(),
                Serdes.serdeFrom(
                    (ignored, event) -> {
                      throw new UnsupportedOperationException("events are only read");
                    },
                    Event::decode))
            .withTimestampExtractor(
                (record, partitionTime) -> ((Event) record.value()).tsEndMicros / 1000));
  }

  private static Properties settings(String[] args) {
    Properties settings = new Properties();
    settings.putAll(
        Map.of(
            StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[1],
            StreamsConfig.APPLICATION_ID_CONFIG, args[3],
            StreamsConfig.STATE_DIR_CONFIG, args[5],
            StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1,
            StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, args[0].equals("shuffled") ? 10_000 : 3_600_000,
            StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64 << 20,
            StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000,
            StreamsConfig.REPLICATION_FACTOR_CONFIG, 1));
    settings.putAll(
        Map.of(
            "auto.offset.reset", "earliest",
            "max.poll.records", 10_000,
            "max.partition.fetch.bytes", 8 << 20,
            "fetch.max.wait.ms", 50,
            "linger.ms", 100,
            "batch.size", 256 << 10,
            "compression.type", "lz4"));
    return settings;
  }

  /** The store has the last events a moment after they are summed. */
  private static long waitFor(Supplier<Long> counted, long events) throws InterruptedException {
    long deadline = System.currentTimeMillis() + COUNT_TIMEOUT_MS;
    while (counted.get() < events && System.currentTimeMillis() < deadline) {
      Thread.sleep(COUNT_PAUSE_MS);
    }
    return counted.get();
  }

  private static long inStore(KafkaStreams streams) {
    return total(
        streams
            .store(
                StoreQueryParameters.fromNameAndType(
                    LocalSums.STORE, QueryableStoreTypes.<Windowed<Group>, Sums>keyValueStore()))
            .all());
  }

  private static long inWindowStore(KafkaStreams streams) {
    return total(
        streams
            .store(
                StoreQueryParameters.fromNameAndType(
                    LocalSums.STORE, QueryableStoreTypes.<Group, Sums>windowStore()))
            .all());
  }

  private static long total(KeyValueIterator<Windowed<Group>, Sums> rows) {
    long events = 0;
    try (rows) {
      while (rows.hasNext()) {
        KeyValue<Windowed<Group>, Sums> row = rows.next();
        events += row.value.events;
      }
    }
    return events;
  }
}
