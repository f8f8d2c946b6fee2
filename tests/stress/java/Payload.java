import io.vineyard.Blob;
import io.vineyard.ObjectId;
import io.vineyard.VineyardObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.Map;

/** What objects of a soak are made of, byte by byte: see payload.h. */
final class Payload {
  private Payload() {}

  private static long mix(long x) {
    x ^= x >>> 31;
    x *= 0x9e3779b97f4a7c15L;
    return x ^ (x >>> 29);
  }

  /** Writes words from..to of what lies under a key to the beginning of a buffer. */
  static void fill(ByteBuffer bytes, long key, int from, int to) {
    LongBuffer words = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
    for (int i = from; i < to; ++i) {
      words.put(i - from, i == 0 ? key : mix(key + i));
    }
  }

  static ByteBuffer make(long key, int count) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * count);
    fill(bytes, key, 0, count);
    return bytes;
  }

  /** Compares objects, and adds up their bytes. */
  static final class Verifier {
    long bytes;

    /** What is wrong with it; "": nothing. */
    String check(VineyardObject object) {
      if (object.typeName().equals("vineyard::Array")) {
        return payload(object, "buffer_", null);
      }
      long key = object.getLong("key");
      if (!object.typeName().equals("soak::w" + (key >>> 40))) {
        return "key and type disagree: " + object.typeName();
      }
      Map<String, ObjectId> members = object.members();
      if (members.containsKey("other")) {
        try (VineyardObject other = object.member("other")) {
          return check(other);
        }
      }
      if (members.containsKey("left")) {
        if (!members.get("left").equals(members.get("right"))) {
          return "left and right are not one object";
        }
        try (VineyardObject part = object.member("left")) {
          String wrong = payload(part, "payload", key);
          if (!wrong.isEmpty()) {
            return wrong;
          }
        }
      }
      return payload(object, "payload", key);
    }

    private String payload(VineyardObject object, String name, Long key) {
      try (Blob blob = object.memberBlob(name)) {
        LongBuffer words = blob.buffer().order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
        int count = words.limit();
        bytes += 8L * count;
        if (count == 0 || (key != null && words.get(0) != key)) {
          return "WRONG BYTES";
        }
        long first = words.get(0);
        for (int i = 1; i < count; ++i) {
          if (words.get(i) != mix(first + i)) {
            return "WRONG BYTES";
          }
        }
        return "";
      }
    }
  }
}
