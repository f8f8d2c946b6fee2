package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What another writer has stored and {@code docs/types.md} does not allow is refused, wherever it is, and never answered. */
class MalformedTest extends WithClient {
  private static final Object ABSENT = new Object();

  private static Map<String, Object> scalar(String kind, String type, Object value) {
    Map<String, Object> fields = new HashMap<>();
    fields.put("value_", value);
    fields.put("value_type_", type);
    fields.put("scalar_kind_", kind);
    fields.values().removeIf(each -> each == ABSENT);
    return fields;
  }

  private static ObjectMeta list(Object... elements) {
    ObjectMeta meta = new ObjectMeta("vineyard::List").set("__elements_-size", elements.length);
    for (int i = 0; i < elements.length; ++i) {
      if (elements[i] instanceof ObjectMeta member) {
        meta.add("__elements_-" + i, member);
      } else {
        meta.set("__elements_-" + i, elements[i]);
      }
    }
    return meta;
  }

  private void refused(Status status, ObjectId id, String text) {
    VineyardException error = assertThrows(VineyardException.class, () -> client.getValue(id), text);
    assertEquals(status, error.status(), error.getMessage());
    assertTrue(error.getMessage().contains(text), error.getMessage() + "\nhas to say: " + text);
  }

  // As an object of its own, as a field of a list, and deep below a map, where the place is said.
  private void scalarIsRefused(Status status, Map<String, Object> fields, String text) {
    ObjectId own = client.put(new ObjectMeta("vineyard::Scalar").setAll(fields));
    refused(status, own, "object " + own + ": a scalar " + text);
    ObjectMeta inner = list(1L, fields);
    ObjectId map = client.putValue(Map.of("columns", List.of("x", Tuple.of(inner, 2L))));
    refused(status, map, "$[\"columns\"][1][0][1]: object " + inner.id() + ": a scalar " + text);
  }

  @Test
  void aScalarWhoseValueIsNoneOfItsType() {
    Object[][] wrong = {
        {"python", "none", 0L, "null, not"}, {"python", "bool", 1L, "1"}, {"python", "int", 1.0, "a float64"}, {"python", "int", true, "a bool"},
        {"python", "int", null, "null"}, {"python", "float", 1L, "1"}, {"python", "float", "1", "a string"},
        {"python", "bigint", 5L, "5"}, {"python", "bigint", new byte[0], "bytes"}, {"python", "bigint", new byte[] {5}, "bytes"},
        {"python", "bigint", new byte[] {0, -1, 0, 0, 0, 0, 0, 0, 0}, "bytes"},  // has 64 bits
        {"python", "bigint", new byte[] {0, 0, -1, 0, 0, 0, 0, 0, 0, 0}, "bytes"},  // is one byte too long
        {"python", "bigint", new byte[] {-1, -1, 0, 0, 0, 0, 0, 0, 0, 0}, "bytes"},
        {"python", "complex", List.of(1.0), "a list"}, {"python", "complex", List.of(1.0, 2.0, 3.0), "a list"},
        {"python", "complex", List.of(1.0, 2L), "a list"}, {"python", "complex", 1.0, "a float64"},
        {"numpy", "int8", 1L << 40, "1099511627776"}, {"numpy", "int8", 128L, "128"}, {"numpy", "int8", -129L, "-129"},
        {"numpy", "int16", 32768L, "32768"}, {"numpy", "int32", 1L << 31, "2147483648"}, {"numpy", "int64", BigInteger.ONE.shiftLeft(63), "9223372036854775808"},
        {"numpy", "uint8", 256L, "256"}, {"numpy", "uint8", -1L, "-1"}, {"numpy", "uint16", 65536L, "65536"}, {"numpy", "uint32", 1L << 32, "4294967296"},
        {"numpy", "uint64", -1L, "-1"}, {"numpy", "float16", -1L, "-1"}, {"numpy", "float16", 65536L, "65536"}, {"numpy", "float16", 1.5, "a float64"},
        {"numpy", "float32", -1L, "-1"}, {"numpy", "float32", 1L << 32, "4294967296"}, {"numpy", "float64", 1L, "1"}, {"numpy", "bool", 1L, "1"},
        {"numpy", "complex64", List.of(1.5, 2.5), "a list"}, {"numpy", "complex64", List.of(1L, -1L), "a list"},
        {"numpy", "complex128", List.of(1L, 2L), "a list"}, {"numpy", "int32", null, "null"}, {"numpy", "uint8", List.of(), "a list"},
    };
    for (Object[] each : wrong) {
      String said = each[3].equals("null, not") ? "0" : (String) each[3];
      scalarIsRefused(Status.CORRUPT, scalar((String) each[0], (String) each[1], each[2]),
          "of " + each[0] + "'s " + each[1] + " whose value_ is " + said);
    }
  }

  @Test
  void aScalarOfATypeThatNobodyHas() {
    scalarIsRefused(Status.TYPE, scalar("python", "int8", 1L), "of python's int8, of which Java has no value");
    scalarIsRefused(Status.TYPE, scalar("numpy", "int", 1L), "of numpy's int, of which");
    scalarIsRefused(Status.TYPE, scalar("numpy", "other", 1L), "of numpy's other, of which");
    scalarIsRefused(Status.TYPE, scalar("ruby", "int", 1L), "of ruby's int, of which");
    Map<String, Object> broken = scalar("python", "int", 1L);
    broken.put("value_type_", 7L);
    scalarIsRefused(Status.CORRUPT, broken, "whose value_type_ is an integer, not a string");
    for (String name : List.of("value_", "value_type_", "scalar_kind_")) {
      Map<String, Object> less = scalar("python", "int", 1L);
      less.remove(name);
      scalarIsRefused(Status.CORRUPT, less, "without " + name);
    }
  }

  @Test
  void whatIsAllowedIsAnswered() {
    Object[][] right = {
        {"python", "int", BigInteger.ONE.shiftLeft(63)}, {"numpy", "int8", -128L}, {"numpy", "int8", 127L}, {"numpy", "uint8", 255L},
        {"numpy", "uint16", 65535L}, {"numpy", "uint32", (1L << 32) - 1}, {"numpy", "uint64", BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE)},
        {"numpy", "int64", Long.MIN_VALUE}, {"numpy", "bool", true}, {"numpy", "float64", -0.0}, {"python", "none", null}};
    for (Object[] each : right) {
      assertEquals(Arrays.asList(each[2]), client.getValue(client.put(list(scalar((String) each[0], (String) each[1], each[2])))));
    }
    for (BigInteger big : List.of(BigInteger.ONE.shiftLeft(64), BigInteger.ONE.shiftLeft(63).negate().subtract(BigInteger.ONE))) {
      assertEquals(List.of(big), client.getValue(client.put(list(scalar("python", "bigint", big.toByteArray())))));
    }
    assertEquals(List.of(-0.0f, 1.5f), client.getValue(client.put(list(scalar("numpy", "float16", 0x8000L), scalar("numpy", "float32", 0x3fc00000L)))));
    Map<String, Object> more = scalar("python", "int", 7L);
    more.put("unknown", "is passed over");
    assertEquals(List.of(7L), client.getValue(client.put(list(more))));
  }

  @Test
  void aFieldThatIsNoLeaf() {
    ObjectId withList = client.put(list(1L, List.of(2L)));
    refused(Status.CORRUPT, withList, "$[1]: object " + withList + ": its field __elements_-1 is a list, which is no leaf");
    ObjectId withBytes = client.put(new ObjectMeta("vineyard::Pair").set("first_", 1).set("second_", new byte[1]));
    refused(Status.CORRUPT, withBytes, "$[1]: object " + withBytes + ": its field second_ is bytes, which is no leaf");
  }

  @Test
  void anElementThatIsMissing() {
    ObjectId sizeOnly = client.put(new ObjectMeta("vineyard::List").set("__elements_-size", 2).set("__elements_-0", 1).set("__elements_-5", 1));
    refused(Status.CORRUPT, sizeOnly, "$[1]: object " + sizeOnly + ": a vineyard::List without __elements_-1");
    for (Object size : Arrays.asList("x", 2.0, null, -1L, 7L, List.of())) {
      ObjectId id = client.put(new ObjectMeta("vineyard::Tuple").set("__elements_-size", size));
      refused(Status.CORRUPT, id, "object " + id + ": a vineyard::Tuple whose __elements_-size is ");
    }
    refused(Status.CORRUPT, client.put(new ObjectMeta("vineyard::Tuple")), "a vineyard::Tuple without __elements_-size");
    refused(Status.CORRUPT, client.put(new ObjectMeta("vineyard::Pair").set("first_", 1)), "$[1]: object");
    refused(Status.CORRUPT, client.put(new ObjectMeta("vineyard::String")), "with neither value_ nor buffer_");
    refused(Status.CORRUPT, client.put(new ObjectMeta("vineyard::String").set("value_", 5)), "whose value_ is an integer");
  }

  @Test
  void aKeyThatIsThereTwice() {
    List<Object> keys = List.of("k", 1L, 2.5, Tuple.of(1L, "a"), new Complex(1, 2), new byte[] {1, 2});
    for (Object key : keys) {
      ObjectMeta dict = new ObjectMeta("vineyard::Dict").set("__values_-size", 3).set("__values_-key-0", "first").set("__values_-value-0", 0);
      for (int i = 1; i < 3; ++i) {  // two objects, each its own
        dict.add("__values_-key-" + i, client.putValue(key)).set("__values_-value-" + i, i);
      }
      ObjectId id = client.put(dict);
      refused(Status.CORRUPT, client.putValue(List.of(id)), "$[0][key 2]: object " + id + ": a vineyard::Dict with a key that is there twice");
    }
  }

  @Test
  void anArrayWhoseOrderIsNone() {
    for (Object order : Arrays.asList("c", 5L, null)) {
      ObjectMeta array = new ObjectMeta("vineyard::Array").set("value_type_", "int8").set("shape_", List.of(1)).set("order_", order)
          .add("buffer_", new byte[1], BlobKind.BUFFER);
      ObjectId id = client.put(list("x", array));
      refused(Status.CORRUPT, id, "$[1]: object " + array.id() + ": a vineyard::Array whose order_ is neither C nor F");
    }
    ObjectMeta broken = new ObjectMeta("vineyard::Array").set("value_type_", "int8").set("shape_", List.of(7)).set("order_", "C")
        .add("buffer_", new byte[1], BlobKind.BUFFER);
    ObjectId id = client.putValue(Map.of("a", broken));
    refused(Status.CORRUPT, id, "$[\"a\"]: ");
    refused(Status.CORRUPT, id, broken.id().toString());
  }
}
