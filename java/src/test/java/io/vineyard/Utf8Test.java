package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Text is real UTF-8 in the store: told by its bytes, their number and their order, and not by an echo. */
class Utf8Test extends WithClient {
  private static final String FACE = "\uD83D\uDE00";                                        // U+1F600
  private static final byte[] FACE_BYTES = {(byte) 0xF0, (byte) 0x9F, (byte) 0x98, (byte) 0x80};  // JNI's own form has six bytes
  private static final int LONG = 5000;  // so often it is too long for a field

  /** Each text that the encodings of Java's world tell apart, with its bytes of UTF-8. */
  private static final Map<String, byte[]> TEXTS = Map.of(
      FACE, FACE_BYTES,
      "a\0b\0\0", new byte[] {'a', 0, 'b', 0, 0},
      "\u00fc\u20ac", new byte[] {(byte) 0xC3, (byte) 0xBC, (byte) 0xE2, (byte) 0x82, (byte) 0xAC},
      "\uDBFF\uDFFF\uFFFF", new byte[] {(byte) 0xF4, (byte) 0x8F, (byte) 0xBF, (byte) 0xBF, (byte) 0xEF, (byte) 0xBF, (byte) 0xBF});

  private static byte[] repeated(byte[] bytes) {
    byte[] all = new byte[bytes.length * LONG];
    for (int i = 0; i < all.length; ++i) {
      all[i] = bytes[i % bytes.length];
    }
    return all;
  }

  @Test
  void longTextIsUtf8InItsBlob() {
    TEXTS.forEach((text, bytes) -> {
      try (VineyardObject object = client.get(client.putValue(text.repeat(LONG))); Blob blob = object.memberBlob("buffer_")) {
        assertArrayEquals(repeated(bytes), blob.toByteArray());
      }
    });
  }

  @Test
  void bytesOfUtf8AreReadAsText() {
    TEXTS.forEach((text, bytes) -> {
      ObjectId id = client.put(new ObjectMeta("vineyard::String").add("buffer_", repeated(bytes), BlobKind.BUFFER));
      assertEquals(text.repeat(LONG), client.getValue(id));
    });
  }

  @Test
  void theFormOfTextChangesAtSoManyBytesNotChars() {
    String fits = FACE.repeat(4 * 1024);
    try (VineyardObject field = client.get(client.putValue(fits)); VineyardObject blob = client.get(client.putValue(fits + "x"))) {
      assertEquals(List.of(), List.copyOf(field.members().keySet()));
      assertEquals(List.of("buffer_"), List.copyOf(blob.members().keySet()));
      assertEquals(fits, field.getString("value_"));
    }
  }

  @Test
  void aNameHas1024BytesAtMost() {
    ObjectId id = client.putValue(1L);
    String longest = FACE.repeat(256);
    client.putName(longest, id);
    assertEquals(id, client.getName(longest).id());
    var error = assertThrows(VineyardException.class, () -> client.putName(longest + "x", id));
    assertEquals(Status.LIMIT, error.status());
    String three = "\u20ac".repeat(341);
    client.putName(three + "x", id);
    assertThrows(VineyardException.LimitExceeded.class, () -> client.putName(three + "\u00fc", id));
  }

  @Test
  void namesAreInTheOrderOfTheirUtf8() {
    ObjectId id = client.putValue(1L);
    // In UTF-16, and in JNI's form, the face comes before the last of the plane below it.
    List<String> ordered = List.of("order a", "order \u007F", "order \u00fc", "order \uFF5E", "order " + FACE, "order " + FACE + FACE);
    for (String name : List.of(ordered.get(4), ordered.get(2), ordered.get(5), ordered.get(0), ordered.get(3), ordered.get(1))) {
      client.putName(name, id);
    }
    try (Stream<NamedObject> names = client.names("order *")) {
      assertEquals(ordered, names.map(NamedObject::name).toList());
    }
  }

  @Test
  void errorsSayNamesAsTheyAre() {
    String name = "nobody \u00fc " + FACE;
    var missing = assertThrows(VineyardException.NotFound.class, () -> client.getName(name));
    assertTrue(missing.getMessage().contains(name), missing.getMessage());
    ObjectId id = client.put(new ObjectMeta("example::" + FACE).set(FACE, 1));
    try (VineyardObject object = client.get(id)) {
      var noMember = assertThrows(VineyardException.NotFound.class, () -> object.memberBlob(name));
      assertTrue(noMember.getMessage().contains(name), noMember.getMessage());
      var noField = assertThrows(VineyardException.NotFound.class, () -> object.getLong(name));
      assertTrue(noField.getMessage().contains(name), noField.getMessage());
    }
    client.putName(name, id);
    var taken = assertThrows(VineyardException.AlreadyExists.class, () -> client.putName(name, id));
    assertTrue(taken.getMessage().contains(name), taken.getMessage());
    var noArray = assertThrows(VineyardException.TypeMismatch.class, () -> client.getTensor(id));
    assertTrue(noArray.getMessage().contains("example::" + FACE), noArray.getMessage());
    var noValue = assertThrows(VineyardException.TypeMismatch.class, () -> client.getValue(id));
    assertTrue(noValue.getMessage().contains("example::" + FACE), noValue.getMessage());
    var nobody = assertThrows(VineyardException.Unavailable.class, () -> Vineyard.connect("/tmp/" + FACE));
    assertTrue(nobody.getMessage().contains("/tmp/" + FACE), nobody.getMessage());
  }

  @Test
  void textWithoutAUtf8FormAndNamesWithNulAreRefused() {
    ObjectId id = client.putValue(1L);
    for (String half : List.of("\uD83D", "\uDE00", "a\uDE00\uD83Db")) {
      assertThrows(IllegalArgumentException.class, () -> client.putValue(half));
      assertThrows(IllegalArgumentException.class, () -> client.putValue(half.repeat(20_000)));
      assertThrows(IllegalArgumentException.class, () -> client.putName(half, id));
      assertThrows(IllegalArgumentException.class, () -> client.setLabel(id, half, "v"));
      assertThrows(IllegalArgumentException.class, () -> client.setLabel(id, "k", half));
      assertThrows(IllegalArgumentException.class, () -> Vineyard.connect(half));
      assertThrows(IllegalArgumentException.class, () -> client.put(new ObjectMeta(half)));
      assertThrows(IllegalArgumentException.class, () -> client.put(new ObjectMeta("t").set(half, 1)));
      assertThrows(IllegalArgumentException.class, () -> client.put(new ObjectMeta("t").set("map", Map.of(half, 1))));
    }
    String nul = "a\0b";
    assertThrows(IllegalArgumentException.class, () -> client.putName(nul, id));
    assertThrows(IllegalArgumentException.class, () -> client.getName(nul));
    assertThrows(IllegalArgumentException.class, () -> client.names(nul));
    assertThrows(IllegalArgumentException.class, () -> client.list(nul));
    assertThrows(IllegalArgumentException.class, () -> client.setLabel(id, nul, "v"));
    assertThrows(IllegalArgumentException.class, () -> client.setLabel(id, "k", nul));
    assertThrows(IllegalArgumentException.class, () -> Vineyard.connect(nul));
    assertThrows(IllegalArgumentException.class, () -> client.put(new ObjectMeta(nul)));
    assertThrows(IllegalArgumentException.class, () -> client.put(new ObjectMeta("t").set(nul, 1)));
  }
}
