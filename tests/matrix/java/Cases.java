import io.vineyard.BlobKind;
import io.vineyard.Client;
import io.vineyard.Complex;
import io.vineyard.ElementType;
import io.vineyard.ObjectId;
import io.vineyard.ObjectMeta;
import io.vineyard.Tuple;
import io.vineyard.VineyardObject;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** The only place that makes the values of the cases in Java, as a person would write them. */
final class Cases {
  private static final BigInteger TWO = BigInteger.TWO;

  private final Client client;
  private final PrintStream out;

  Cases(Client client, PrintStream out) {
    this.client = client;
    this.out = out;
  }

  void write() {
    scalars();
    numpyScalars();
    texts();
    blobs();
    containers();
    dicts();
    arrays();
    registeredByHand();
    ownTypes();
  }

  private void value(String name, Object value) {
    object(name, client.putValue(value));
  }

  private void object(String name, ObjectId id) {
    client.putName("java/" + name, id);
    out.print("written " + name + "\n");
  }

  // ---- leaves

  private void scalars() {
    value("none", null);
    value("bool_true", true);
    value("bool_false", false);
    value("int_zero", 0);
    value("int_minus_one", -1);
    value("int_255", 255);
    value("int_int64_least", Long.MIN_VALUE);
    value("int_int64_greatest", Long.MAX_VALUE);
    value("int_2_63", TWO.pow(63));
    value("int_uint64_greatest", TWO.pow(64).subtract(BigInteger.ONE));
    value("bigint_2_64", TWO.pow(64));
    value("bigint_below_int64", TWO.pow(63).negate().subtract(BigInteger.ONE));
    value("bigint_2_127", TWO.pow(127));
    value("bigint_minus_2_127", TWO.pow(127).negate());
    value("bigint_10_50", BigInteger.TEN.pow(50));
    value("bigint_minus_10_50", BigInteger.TEN.pow(50).negate());
    value("float_zero", 0.0);
    value("float_minus_zero", -0.0);
    value("float_1_5", 1.5);
    value("float_inf", Double.POSITIVE_INFINITY);
    value("float_minus_inf", Double.NEGATIVE_INFINITY);
    value("float_nan", Double.NaN);
    value("float_nan_payload", Double.longBitsToDouble(0x7ff8000000000123L));
    value("float_nan_signalling", Double.longBitsToDouble(0xfff0000000000001L));
    value("float_least", Double.MIN_VALUE);
    value("float_greatest", Double.MAX_VALUE);
    value("complex", new Complex(1, 2));
    value("complex_edges", new Complex(-0.0, Double.longBitsToDouble(0x7ff8000000000123L)));
  }

  // Of numpy's scalars Java's Float is one; the others are metadata, for those who want exactly them.
  private void numpyScalars() {
    value("numpy_float32", 1.5f);
    value("numpy_float32_minus_zero", -0.0f);
    value("numpy_float32_nan", Float.intBitsToFloat(0x7fc00123));
    numpy("numpy_float16", "float16", 0x3e00);
    numpy("numpy_float16_nan", "float16", 0x7e23);
    numpy("numpy_float64", "float64", -2.25);
    numpy("numpy_bool", "bool", true);
    numpy("numpy_complex64", "complex64", List.of(0x3fc00000, 0x80000000L));
    numpy("numpy_complex128", "complex128", List.of(1.5, -0.0));
    for (int bits = 8; bits <= 64; bits *= 2) {
      numpy("numpy_int" + bits + "_least", "int" + bits, Long.MIN_VALUE >> (64 - bits));
      numpy("numpy_int" + bits + "_greatest", "int" + bits, Long.MAX_VALUE >> (64 - bits));
      numpy("numpy_uint" + bits + "_greatest", "uint" + bits, TWO.pow(bits).subtract(BigInteger.ONE));
    }
  }

  private void numpy(String name, String type, Object value) {
    object(name, client.put(
        new ObjectMeta("vineyard::Scalar").set("value_", value).set("value_type_", type).set("scalar_kind_", "numpy")));
  }

  private void texts() {
    value("str_empty", "");
    value("str_ascii", "text");
    value("str_nul", "NUL \0 inside");
    value("str_emoji", "\ud83c\udf47 \udbff\udfff \u00e9");
    value("str_last_of_each_length", "\u007f\u0080\u07ff\u0800\uffff\ud800\udc00");
    value("str_escapes", "\"\\\n\t\001/'\u007f");
    value("str_16384", "x".repeat(16384));
    value("str_16385", "x".repeat(16385));
    value("str_e_8192", "\u00e9".repeat(8192));
    value("str_e_8193", "\u00e9".repeat(8193));
    value("str_long", "grape \ud83c\udf47 ".repeat(9091));
  }

  private void blobs() {
    value("bytes_hello", utf8("Hello, World!"));
    value("bytes_100000", pattern(100000));
    for (int size : new int[] {0, 1, 255, 256, 65535, 65536, 65537}) {
      value("bytes_" + size, pattern(size));
      object("bytearray_" + size, client.put(ByteBuffer.wrap(pattern(size)), BlobKind.BYTEARRAY));
    }
    for (int size : new int[] {0, 1, 65536, 100000}) {
      value("buffer_" + size, ByteBuffer.wrap(pattern(size)));
    }
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  // Bytes that differ where they stand: byte i is (7 i + i / 256) mod 256.
  private static byte[] pattern(int size) {
    byte[] bytes = new byte[size];
    for (int i = 0; i < size; ++i) {
      bytes[i] = (byte) (7 * i + i / 256);
    }
    return bytes;
  }

  // ---- containers

  private void containers() {
    value("tuple_empty", Tuple.of());
    value("tuple_one", Tuple.of(1));
    value("tuple_two", Tuple.of(1, "b"));
    value("tuple_three", Tuple.of(1, "b", null));
    value("pair_of_members", Tuple.of(List.of(1), utf8("second")));
    value("list_empty", List.of());
    value("list_of_two", List.of(1, 2));
    value("list_leaves", Arrays.asList(null, true, false, -1, TWO.pow(64).subtract(BigInteger.ONE), Long.MIN_VALUE, 1.5,
        -0.0, "s", ""));
    value("list_scalars", List.of(BigInteger.TEN.pow(30), 1, new Complex(1, -2), "s", 0f));
    value("list_of_texts", List.of("x".repeat(16384), "x".repeat(16385)));
    value("list_of_bytes", List.of(new byte[0], utf8("a"), client.put(ByteBuffer.wrap(utf8("b")), BlobKind.BYTEARRAY),
        ByteBuffer.wrap(utf8("c"))));
    byte[] shared = utf8("shared");
    List<Object> inner = List.of(shared);
    value("list_shared", List.of(inner, inner, shared));
    value("list_of_arrays", List.of(new short[] {-1, 2}, new boolean[] {true}));
    value("list_10000_members", IntStream.range(0, 10000).mapToObj(i -> littleEndian(4).putInt(i).array()).toList());
    value("list_10000_fields", IntStream.range(0, 10000).boxed().toList());
    Object deep = "leaf";
    for (int level = 0; level < 50; ++level) {
      deep = level % 2 == 1 ? List.of(deep, level) : Map.of("below", deep);
    }
    value("tree_50_deep", deep);
  }

  private void dicts() {
    value("dict_empty", Map.of());
    value("dict_order", map("z", 1, "a", 2, "m", 3));
    value("dict_keys", map(null, 0, true, 1, -7, 2, 1.5, 3, "", 4, utf8("k"), 5, Tuple.of(1, 2), 6,
        BigInteger.TEN.pow(30), 7, new Complex(0, 2), 8));
    value("dict_values", map("i", 1, "l", List.of(1, 2), "b", utf8("bytes"), "n", map("a", null), "c", new Complex(0, 1)));
    value("dict_unicode", map("\ud83c\udf47", "grape", "\u00e9 \0", "accent and NUL"));
    value("mixed", map("t", Tuple.of(1, 2, List.of(3, Tuple.of(4))), "d", map("e", map()),
        "s", List.of("x", Tuple.of("y", "z")), "none", Arrays.asList((Object) null)));
  }

  // In this order.
  @SuppressWarnings("unchecked")
  private static <K> Map<K, Object> map(Object... keysAndValues) {
    Map<K, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      map.put((K) keysAndValues[i], keysAndValues[i + 1]);
    }
    return map;
  }

  // ---- arrays

  private void arrays() {
    for (ElementType type : List.of(ElementType.INT8, ElementType.INT16, ElementType.INT32, ElementType.INT64)) {
      int bits = 8 * type.size();
      long least = Long.MIN_VALUE >> (64 - bits);
      object("array_int" + bits, array(type, least, ~least, 0, 1, -1, 2));
    }
    for (ElementType type : List.of(ElementType.UINT8, ElementType.UINT16, ElementType.UINT32, ElementType.UINT64)) {
      object("array_" + type.spelling(), array(type, 0, 1, -1));
    }
    value("array_bool", new boolean[] {true, false, true, true, false});
    object("array_float16", array(ElementType.FLOAT16, 0x3e00, 0x8000, 0x7c00, 0x7e23));
    value("array_float32", new float[] {1.5f, -0.0f, Float.POSITIVE_INFINITY, Float.intBitsToFloat(0x7fc00123),
        Float.MIN_VALUE});
    value("array_float64", new double[] {1.5, -0.0, Double.NEGATIVE_INFINITY,
        Double.longBitsToDouble(0x7ff8000000000123L), Double.MIN_VALUE});
    ByteBuffer floats = littleEndian(16).putFloat(1.5f).putFloat(-2).putFloat(-0.0f).putFloat(4).flip();
    object("array_complex64", client.putTensor(ElementType.COMPLEX64, floats, false, 2));
    ByteBuffer doubles = littleEndian(32).putDouble(1.5).putDouble(-2).putDouble(-0.0).putDouble(4).flip();
    object("array_complex128", client.putTensor(ElementType.COMPLEX128, doubles, false, 2));
    value("array_empty", new double[0]);
    value("array_20000", LongStream.range(0, 20000).toArray());

    int[] six = {0, 1, 2, 3, 4, 5};
    object("tensor_c", client.putTensor(six, 2, 3));
    ByteBuffer columns = littleEndian(24);
    columns.asIntBuffer().put(six);
    object("tensor_f", client.putTensor(ElementType.INT32, columns, true, 2, 3));
    ByteBuffer numbers = littleEndian(24 * 8);
    numbers.asDoubleBuffer().put(IntStream.range(0, 24).asDoubleStream().toArray());
    object("tensor_3_f", client.putTensor(ElementType.FLOAT64, numbers, true, 2, 3, 4));
    object("tensor_0", client.putTensor(new double[] {2.5}));
    object("tensor_empty", client.putTensor(ElementType.UINT8, littleEndian(0), false, 2, 0, 3));
    ByteBuffer sixteen = littleEndian(16);
    IntStream.range(0, 16).forEach(i -> sixteen.put(i, (byte) i));
    object("tensor_8", client.putTensor(ElementType.UINT8, sixteen, false, 1, 2, 1, 2, 1, 2, 1, 2));
  }

  // An array of integers, or of the bits of something else; also of types that Java has not.
  private ObjectId array(ElementType type, long... numbers) {
    ByteBuffer bytes = littleEndian(numbers.length * type.size());
    for (long number : numbers) {
      switch (type.size()) {
        case 1 -> bytes.put((byte) number);
        case 2 -> bytes.putShort((short) number);
        case 4 -> bytes.putInt((int) number);
        default -> bytes.putLong(number);
      }
    }
    return client.putTensor(type, bytes.flip(), false, numbers.length);
  }

  private static ByteBuffer littleEndian(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  // ---- metadata that is built by hand

  private void registeredByHand() {
    object("sequence", client.put(new ObjectMeta("vineyard::Sequence").set("__elements_-size", 2).set("__elements_-0", 7)
        .add("__elements_-1", utf8("seven"), BlobKind.BYTES)));
    object("list_leaf_members", client.put(new ObjectMeta("vineyard::List").set("__elements_-size", 2)
        .add("__elements_-0", client.putValue(7)).add("__elements_-1", client.putValue("seven"))));

    ByteBuffer six = littleEndian(24);
    six.asIntBuffer().put(new int[] {0, 1, 2, 3, 4, 5});
    object("array_least_fields", client.put(new ObjectMeta("vineyard::Array").set("value_type_", "int32")
        .set("shape_", List.of(6)).set("my_note_", "ignore me").add("buffer_", six, BlobKind.BUFFER)));
    object("tensor_parameters", client.put(array("vineyard::Tensor<int32>", "int32", "<i4", List.of(2, 3))
        .add("buffer_", six, BlobKind.BUFFER)));

    // Elements 6 to 10 of an array of 20: a link to its blob.
    try (VineyardObject whole = client.get(client.putValue(LongStream.range(0, 20).toArray()))) {
      object("array_part", client.put(array("vineyard::Array", "int64", "<i8", List.of(5)).set("offset_", 6 * Long.BYTES)
          .add("buffer_", whole.members().get("buffer_"))));
    }
  }

  private static ObjectMeta array(String typeName, String element, String descriptor, List<Integer> shape) {
    return new ObjectMeta(typeName).set("value_type_", element).set("shape_", shape).set("order_", "C")
        .set("value_type_meta_", descriptor).set("partition_index_", List.of());
  }

  private void ownTypes() {
    List<Object> list = new ArrayList<>(List.of(1, List.of(2, List.of(3, List.of()))));
    list.add(map("k", null));
    object("meta_every_value", client.put(new ObjectMeta("my::Every")
        .set("null", null).set("yes", true).set("no", false).set("least", Long.MIN_VALUE).setUnsigned("greatest", -1)
        .set("zero", 0).set("float", Double.longBitsToDouble(0x7ff8000000000123L))
        .set("text", "NUL \0 and \ud83c\udf47").set("bytes", new byte[] {0, -1}).set("no bytes", new byte[0])
        .set("list", list)
        .set("map", map("a", map("b", map("c", List.of(1.5, "d", utf8("e")))), "", map()))));
    object("meta_empty", client.put(new ObjectMeta("my::Nothing")));
    object("meta_unicode", client.put(new ObjectMeta("mein::Gro\u00dfer \ud83c\udf47")
        .set("gr\u00f6\u00dfe", 1).set("\ud83c\udf47", "grape").set("\u957f\u5ea6", List.of(1, 2))
        .add("\u6210\u5458", utf8("m"), BlobKind.BYTES).add("\u00e9\u0301", client.putValue(List.of(1)))));
    object("meta_long_field", client.put(new ObjectMeta("my::Long").set("bytes", pattern(20000)).set("text", "y".repeat(20000))));
  }
}
