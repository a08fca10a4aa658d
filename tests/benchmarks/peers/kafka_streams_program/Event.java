import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** The fields of an inference event that are summed; the decoder skips the others. */
final class Event {
  long tsEndMicros;
  String model;
  int statusCode;
  long inputTokens;
  long outputTokens;
  double ttftMs;
  double e2eMs;

  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER).build();
  private static final int MEASURES_BYTES = 2 * Long.BYTES + 2 * Double.BYTES;

  Group group() {
    return new Group(model, statusCode);
  }

  /** Reads the JSON of the topic. */
  static Event decode(String topic, byte[] json) {
    Event event = new Event();
    try (JsonParser parser = JSON.createParser(json)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String field = parser.currentName();
        parser.nextToken();
        event.take(field, parser);
      }
    } catch (IOException error) {
      throw new UncheckedIOException(topic, error);
    }
    return event;
  }

  private void take(String field, JsonParser parser) throws IOException {
    switch (field) {
      case "ts_end" -> tsEndMicros = parser.getLongValue();
      case "model" -> model = parser.getText();
      case "status_code" -> statusCode = parser.getIntValue();
      case "input_tokens" -> inputTokens = parser.getLongValue();
      case "output_tokens" -> outputTokens = parser.getLongValue();
      case "ttft_ms" -> ttftMs = parser.getDoubleValue();
      case "e2e_ms" -> e2eMs = parser.getDoubleValue();
      default -> parser.skipChildren();
    }
  }

  /** What goes through a repartition topic: the measures alone, since the key has the group. */
  static Serde<Event> measures() {
    Serializer<Event> write =
        (topic, event) ->
            ByteBuffer.allocate(MEASURES_BYTES)
                .putLong(event.inputTokens)
                .putLong(event.outputTokens)
                .putDouble(event.ttftMs)
                .putDouble(event.e2eMs)
                .array();
    Deserializer<Event> read =
        (topic, bytes) -> {
          ByteBuffer from = ByteBuffer.wrap(bytes);
          Event event = new Event();
          event.inputTokens = from.getLong();
          event.outputTokens = from.getLong();
          event.ttftMs = from.getDouble();
          event.e2eMs = from.getDouble();
          return event;
        };
    return Serdes.serdeFrom(write, read);
  }
}
