import io.vineyard.Blob;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** The only place that knows how bytes, text and numbers look, and that collects lines; README.md says how. */
final class Text {
  private static final int MAX_SHOWN = 256;

  private final StringBuilder lines = new StringBuilder();

  /** Adds a line, so many parts further in. */
  void line(int depth, String text) {
    lines.append("  ".repeat(depth)).append(text).append('\n');
  }

  @Override
  public String toString() {
    return lines.toString();
  }

  /** DATA: what remains of a buffer. */
  static String data(ByteBuffer bytes) {
    // One comparison only: of two that it joins OpenJDK may take the wrong way when it falls back (JDK-8376400).
    String shown = bytes.remaining() > MAX_SHOWN ? "fnv " + bits(hash(bytes)) : hex(bytes);
    return ("[" + bytes.remaining() + "] " + shown).strip();
  }

  private static String hex(ByteBuffer bytes) {
    byte[] few = new byte[bytes.remaining()];
    bytes.duplicate().get(few);
    return HexFormat.of().formatHex(few);
  }

  // FNV-1a of 64 bits.
  private static long hash(ByteBuffer bytes) {
    long hash = 0xcbf29ce484222325L;
    for (int i = bytes.position(); i < bytes.limit(); ++i) {
      hash = (hash ^ (bytes.get(i) & 0xff)) * 0x100000001b3L;
    }
    return hash;
  }

  /** QUOTED. */
  static String quoted(String text) {
    StringBuilder made = new StringBuilder("\"");
    for (char unit : text.toCharArray()) {
      if (unit == '"' || unit == '\\') {
        made.append('\\');
      }
      made.append(unit >= 0x20 && unit < 0x7f ? String.valueOf(unit) : String.format("\\u%04x", (int) unit));
    }
    return made.append('"').toString();
  }

  /** STRING. */
  static String string(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return "str " + (bytes.length > MAX_SHOWN ? data(ByteBuffer.wrap(bytes)) : quoted(text));
  }

  /** STRING of text that is read where it is. */
  static String string(Blob utf8) {
    ByteBuffer bytes = utf8.buffer();
    return bytes.remaining() > MAX_SHOWN ? "str " + data(bytes) : string(StandardCharsets.UTF_8.decode(bytes).toString());
  }

  /** 16 hex digits. */
  static String bits(long bits) {
    return String.format("%016x", bits);
  }

  /** BITS. */
  static String bits(double value) {
    return bits(Double.doubleToRawLongBits(value));
  }

  /** BITS. */
  static String bits(float value) {
    return String.format("%08x", Float.floatToRawIntBits(value));
  }

  static String bigint(BigInteger value) {
    return "bigint " + HexFormat.of().formatHex(value.toByteArray());
  }

  /** A value of a field: the line behind `label`, and its parts. */
  void field(int depth, String label, Object value) {
    if (value == null) {
      line(depth, label + "none");
    } else if (value instanceof Boolean) {
      line(depth, label + "bool " + value);
    } else if (value instanceof Double number) {
      line(depth, label + "float " + bits(number));
    } else if (value instanceof String text) {
      line(depth, label + string(text));
    } else if (value instanceof byte[] bytes) {
      line(depth, label + "bytes " + data(ByteBuffer.wrap(bytes)));
    } else if (value instanceof List<?> items) {
      line(depth, label + "list " + items.size());
      items.forEach(item -> field(depth + 1, "", item));
    } else if (value instanceof Map<?, ?> map) {
      line(depth, label + "map " + map.size());
      map.forEach((key, each) -> {
        field(depth + 1, "", key);
        field(depth + 1, "", each);
      });
    } else {
      line(depth, label + "int " + value);
    }
  }
}
