import io.vineyard.Blob;
import io.vineyard.Client;
import io.vineyard.Complex;
import io.vineyard.ElementType;
import io.vineyard.Tensor;
import io.vineyard.Tuple;
import io.vineyard.TypedArray;
import io.vineyard.VineyardException;
import io.vineyard.VineyardObject;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The text of a value: read in place, so that not even `bytes` are copied, or as {@link Client#getValue} gives it. Of
 * that the differences that Java's types do not have are taken from the object: it is printed beside it.
 */
final class ValueText {
  // Instead of what getValue gives: nothing was asked, payload is read where it is.
  private static final Object IN_PLACE = new Object();

  private final Text text = new Text();
  private final Client client;

  private ValueText(Client client) {
    this.client = client;
  }

  static String inPlace(Client client, VineyardObject object) {
    ValueText made = new ValueText(client);
    made.value(0, object, IN_PLACE);
    return made.text.toString();
  }

  /** What getValue gives; what it refuses is one line instead of all. */
  static String plain(Client client, VineyardObject object) {
    ValueText made = new ValueText(client);
    try {
      made.value(0, object, client.getValue(object.id()));
    } catch (VineyardException.TypeMismatch error) {
      // The text has to name the type: the object's, or that of one inside it.
      if (error.getMessage().contains("a vineyard::PickleBuffer")) {
        made.unsupported(0, "vineyard::PickleBuffer", error);
      } else {
        made.text.line(0, error.getMessage().contains(object.typeName()) ? own(object.typeName()) : error.getMessage());
      }
    }
    return made.text.toString();
  }

  private void value(int depth, VineyardObject object, Object value) {
    String type = object.typeName().replaceFirst("<.*", "");
    switch (type) {
      case "vineyard::Blob" -> {
        try (Blob blob = object.blob()) {
          text.line(depth, blob.kind().name().toLowerCase() + " " + Text.data(bytes(blob, value)));
        }
      }
      case "vineyard::Scalar" -> text.line(depth, scalar(object.fields(), value));
      case "vineyard::String" -> string(depth, object, value);
      case "vineyard::Pair" -> container(depth, "tuple", object, List.of("first_", "second_"), tuple(value));
      case "vineyard::Tuple", "vineyard::Sequence" -> container(depth, "tuple", object, elements(object), tuple(value));
      case "vineyard::List" -> container(depth, "list", object, elements(object), list(value));
      case "vineyard::Dict" -> dict(depth, object, value);
      case "vineyard::Array", "vineyard::Tensor" -> {
        if (value != IN_PLACE) {
          array(depth, type, (Tensor) value);
          return;
        }
        try (Tensor tensor = object.tensor()) {
          array(depth, type, tensor);
        }
      }
      case "vineyard::PickleBuffer" -> {
        try {
          text.line(depth, "accepted " + client.getValue(object.id()));
        } catch (VineyardException error) {
          unsupported(depth, type, error);
        }
      }
      default -> text.line(depth, own(object.typeName()));
    }
  }

  private void unsupported(int depth, String type, VineyardException error) {
    // Where it stands in a container, who reads the container in place says by where the line stands.
    text.line(depth, "unsupported " + type + ": " + error.getMessage().replaceFirst("^\\$\\S*: ", ""));
  }

  private static String own(String type) {
    return "object " + Text.quoted(type);
  }

  // ---- payload

  private static ByteBuffer bytes(Blob blob, Object value) {
    if (value == IN_PLACE) {
      return blob.buffer();
    }
    return switch (blob.kind()) {
      case BUFFER -> (ByteBuffer) value;
      case BYTES, BYTEARRAY -> ByteBuffer.wrap((byte[]) value);
    };
  }

  private void string(int depth, VineyardObject object, Object value) {
    if (value != IN_PLACE) {
      text.line(depth, Text.string((String) value));
    } else if (object.fields().containsKey("value_")) {
      text.line(depth, Text.string(object.getString("value_")));
    } else {
      try (Blob utf8 = object.memberBlob("buffer_")) {
        text.line(depth, Text.string(utf8));
      }
    }
  }

  private void array(int depth, String type, Tensor tensor) {
    try {
      TypedArray elements = tensor.as(TypedArray.class);
      String shape = Arrays.stream(tensor.shape()).mapToObj(Long::toString).collect(Collectors.joining(","));
      String order = tensor.isFortran() ? "F" : "C";
      text.line(depth, "array " + elements.elementType().spelling() + " [" + shape + "] " + order + " "
          + Text.data(tensor.as(ByteBuffer.class)));
    } catch (VineyardException error) {
      unsupported(depth, type, error);
    }
  }

  // ---- containers

  private static List<String> elements(VineyardObject object) {
    return IntStream.range(0, (int) object.getLong("__elements_-size")).mapToObj(i -> "__elements_-" + i).toList();
  }

  private static List<?> tuple(Object value) {
    return value == IN_PLACE ? null : (Tuple) value;
  }

  private static List<?> list(Object value) {
    if (value instanceof Tuple) {
      throw new ClassCastException("a tuple, not a list");
    }
    return value == IN_PLACE ? null : (List<?>) value;
  }

  // `values`: null means in place.
  private void container(int depth, String what, VineyardObject object, List<String> names, List<?> values) {
    text.line(depth, what + " " + (values == null ? names.size() : values.size()));
    for (int i = 0; i < names.size(); ++i) {
      element(depth + 1, object, names.get(i), values == null ? IN_PLACE : values.get(i));
    }
  }

  private void dict(int depth, VineyardObject object, Object value) {
    int size = (int) object.getLong("__values_-size");
    List<Map.Entry<?, ?>> pairs = value == IN_PLACE ? null : new ArrayList<>(((Map<?, ?>) value).entrySet());
    text.line(depth, "dict " + (pairs == null ? size : pairs.size()));
    for (int i = 0; i < size; ++i) {
      element(depth + 1, object, "__values_-key-" + i, pairs == null ? IN_PLACE : pairs.get(i).getKey());
      element(depth + 1, object, "__values_-value-" + i, pairs == null ? IN_PLACE : pairs.get(i).getValue());
    }
  }

  @SuppressWarnings("unchecked")
  private void element(int depth, VineyardObject object, String name, Object value) {
    if (!object.fields().containsKey(name)) {
      try (VineyardObject member = object.member(name)) {
        value(depth, member, value);
      }
      return;
    }
    Object field = object.field(name);
    if (field instanceof Map) {
      text.line(depth, scalar((Map<String, Object>) field, value));
    } else {
      text.field(depth, "", value == IN_PLACE ? field : value);
    }
  }

  // ---- scalars: the three fields of an object, or of a map that stands for one

  private static String scalar(Map<String, Object> fields, Object value) {
    String type = (String) fields.get("value_type_");
    String numpy = fields.get("scalar_kind_").equals("numpy") ? "numpy " + type + " " : null;
    return value == IN_PLACE ? stored(fields.get("value_"), type, numpy) : given(value, type, numpy);
  }

  private static String stored(Object value, String type, String numpy) {
    if (numpy != null || type.equals("complex")) {
      List<?> parts = value instanceof List<?> two ? two : List.of(value);
      return (numpy == null ? "complex " : numpy) + parts.stream().map(part -> part(part, type)).collect(Collectors.joining(" "));
    }
    return type.equals("bigint") ? "bigint " + HexFormat.of().formatHex((byte[]) value) : leaf(value);
  }

  // Of numpy's floats below 64 bits the bits are stored.
  private static String part(Object part, String type) {
    return switch (type) {
      case "float16" -> String.format("%04x", (Long) part);
      case "float32", "complex64" -> String.format("%08x", (Long) part);
      default -> part instanceof Double number ? Text.bits(number) : part.toString();
    };
  }

  private static String given(Object value, String type, String numpy) {
    if (value instanceof Complex complex) {
      boolean floats = ElementType.of(type) == ElementType.COMPLEX64;
      String real = floats ? Text.bits((float) complex.real()) : Text.bits(complex.real());
      String imaginary = floats ? Text.bits((float) complex.imaginary()) : Text.bits(complex.imaginary());
      return (numpy == null ? "complex " : numpy) + real + " " + imaginary;
    }
    if (numpy == null) {
      return type.equals("bigint") ? Text.bigint((BigInteger) value) : leaf(value);
    }
    if (value instanceof Float number) {
      return numpy + (type.equals("float16") ? String.format("%04x", half(number)) : Text.bits(number));
    }
    return numpy + (value instanceof Double number ? Text.bits(number) : value.toString());
  }

  private static String leaf(Object value) {
    Text text = new Text();
    text.field(0, "", value);
    return text.toString().strip();
  }

  // The float16 of a number that is one and not very small, or of a NaN.
  private static int half(float number) {
    int bits = Float.floatToRawIntBits(number);
    int exponent = Float.isNaN(number) ? 0x1f : (bits >>> 23 & 0xff) - 127 + 15;
    return bits >>> 16 & 0x8000 | exponent << 10 | bits >>> 13 & 0x3ff;
  }
}
