import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What events are summed by, besides their window. */
record Group(String model, int statusCode) {

  static Serde<Group> serde() {
    return Serdes.serdeFrom((topic, group) -> group.bytes(), (topic, bytes) -> of(bytes));
  }

  private byte[] bytes() {
    byte[] text = model.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(Integer.BYTES + text.length).putInt(statusCode).put(text).array();
  }

  private static Group of(byte[] bytes) {
    int statusCode = ByteBuffer.wrap(bytes).getInt();
    int textBytes = bytes.length - Integer.BYTES;
    return new Group(
        new String(bytes, Integer.BYTES, textBytes, StandardCharsets.UTF_8), statusCode);
  }
}
