import com.datadoghq.sketch.ddsketch.DDSketch;
import com.datadoghq.sketch.ddsketch.DDSketches;
import com.datadoghq.sketch.ddsketch.encoding.ByteArrayInput;
import com.datadoghq.sketch.ddsketch.encoding.GrowingByteArrayOutput;
import com.datadoghq.sketch.ddsketch.store.UnboundedSizeDenseStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Count and sums of a group in a window, with or without a sketch of each duration. */
final class Sums {
  private static final double RELATIVE_ACCURACY = 0.005;
  private static final int SUMS_BYTES = 3 * Long.BYTES + 2 * Double.BYTES;

  long events;
  private long inputTokens;
  private long outputTokens;
  private double ttftMs;
  private double e2eMs;
  private DDSketch ttft;
  private DDSketch e2e;

  Sums(boolean withSketches) {
    if (withSketches) {
      ttft = DDSketches.unboundedDense(RELATIVE_ACCURACY);
      e2e = DDSketches.unboundedDense(RELATIVE_ACCURACY);
    }
  }

  Sums add(Event event) {
    events++;
    inputTokens += event.inputTokens;
    outputTokens += event.outputTokens;
    ttftMs += event.ttftMs;
    e2eMs += event.e2eMs;
    if (ttft != null) {
      ttft.accept(event.ttftMs);
      e2e.accept(event.e2eMs);
    }
    return this;
  }

  static Serde<Sums> serde(boolean withSketches) {
    return Serdes.serdeFrom(
        (topic, sums) -> sums.bytes(), (topic, bytes) -> of(bytes, withSketches));
  }

  private byte[] bytes() {
    ByteBuffer numbers = ByteBuffer.allocate(SUMS_BYTES);
    numbers.putLong(events).putLong(inputTokens).putLong(outputTokens);
    numbers.putDouble(ttftMs).putDouble(e2eMs);
    if (ttft == null) {
      return numbers.array();
    }
    byte[] first = encoded(ttft);
    byte[] second = encoded(e2e);
    return ByteBuffer.allocate(SUMS_BYTES + Integer.BYTES + first.length + second.length)
        .put(numbers.array())
        .putInt(first.length)
        .put(first)
        .put(second)
        .array();
  }

  private static Sums of(byte[] bytes, boolean withSketches) {
    ByteBuffer from = ByteBuffer.wrap(bytes);
    Sums sums = new Sums(false);
    sums.events = from.getLong();
    sums.inputTokens = from.getLong();
    sums.outputTokens = from.getLong();
    sums.ttftMs = from.getDouble();
    sums.e2eMs = from.getDouble();
    if (withSketches) {
      byte[] first = new byte[from.getInt()];
      from.get(first);
      byte[] second = new byte[from.remaining()];
      from.get(second);
      sums.ttft = decoded(first);
      sums.e2e = decoded(second);
    }
    return sums;
  }

  private static byte[] encoded(DDSketch sketch) {
    GrowingByteArrayOutput output = GrowingByteArrayOutput.withDefaultInitialCapacity();
    try {
      sketch.encode(output, false);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return output.trimmedCopy();
  }

  private static DDSketch decoded(byte[] bytes) {
    try {
      return DDSketch.decode(ByteArrayInput.wrap(bytes), UnboundedSizeDenseStore::new);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
