import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.TimeWindow;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Sums of one partition, on the heap; what has changed goes to the state store every second.
 *
 * <p>No shuffle: a group has one row for each partition, and a reader adds them up. A commit is
 * asked for right after the store has the sums, and at no other time, so that offsets are never
 * ahead of the state.
 */
final class LocalSums extends ContextualProcessor<byte[], Event, Void, Void> {
  static final String STORE = "sums";
  static final long WINDOW_MS = 10_000;

  private static final Duration FLUSH_EVERY = Duration.ofSeconds(1);

  private final boolean withSketches;
  private final Progress progress;
  private final Map<Windowed<Group>, Sums> sums = new HashMap<>();
  private final Set<Windowed<Group>> changed = new HashSet<>();
  private KeyValueStore<Windowed<Group>, Sums> store;

  LocalSums(boolean withSketches, Progress progress) {
    this.withSketches = withSketches;
    this.progress = progress;
  }

  @Override
  public void init(ProcessorContext<Void, Void> context) {
    super.init(context);
    store = context.getStateStore(STORE);
    try (KeyValueIterator<Windowed<Group>, Sums> restored = store.all()) {
      while (restored.hasNext()) {
        KeyValue<Windowed<Group>, Sums> row = restored.next();
        sums.put(row.key, row.value);
      }
    }
    context.schedule(FLUSH_EVERY, PunctuationType.WALL_CLOCK_TIME, now -> flush());
  }

  @Override
  public void process(Record<byte[], Event> record) {
    Event event = record.value();
    long start = record.timestamp() - record.timestamp() % WINDOW_MS;
    Windowed<Group> key = new Windowed<>(event.group(), new TimeWindow(start, start + WINDOW_MS));
    sums.computeIfAbsent(key, absent -> new Sums(withSketches)).add(event);
    changed.add(key);
    progress.add();
  }

  private void flush() {
    for (Windowed<Group> key : changed) {
      store.put(key, sums.get(key));
    }
    changed.clear();
    context().commit();
  }
}
