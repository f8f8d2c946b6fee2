package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Numbers, spellings and sizes of element types: those of the C header, and one another's. */
class ElementTypeTest {
  @Test
  void numbersAndNamesAreThoseOfTheHeader() throws IOException {
    Map<Integer, String> header = new TreeMap<>();
    Matcher define =
        Pattern.compile("#define VINEYARD_ELEMENT_(\\w+) (\\d+)")
            .matcher(Files.readString(repository().resolve("capi/include/vineyard/vineyard.h")));
    while (define.find()) {
      header.put(Integer.valueOf(define.group(2)), define.group(1));
    }
    Map<Integer, String> here = new TreeMap<>();
    for (ElementType type : ElementType.values()) {
      here.put(type.number(), type.name());
    }
    assertEquals(header, here);
  }

  @Test
  void aSpellingIsTheNameInLowerCase() {
    for (ElementType type : ElementType.values()) {
      assertEquals(type.name().toLowerCase(Locale.ROOT), type.spelling());
    }
  }

  @Test
  void aTypeIsFoundByItsNumberAndByItsSpelling() {
    for (ElementType type : ElementType.values()) {
      assertEquals(type, ElementType.of(type.number()));
      assertEquals(type, ElementType.of(type.spelling()));
    }
  }

  @Test
  void whatIsUnknownIsOther() {
    for (String spelling : new String[] {"", "float128", "FLOAT64", "float64 ", "<f8", "object"}) {
      assertEquals(ElementType.OTHER, ElementType.of(spelling), spelling);
    }
    for (int number : new int[] {-1, 15, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
      assertEquals(ElementType.OTHER, ElementType.of(number));
    }
    assertThrows(NullPointerException.class, () -> ElementType.of(null));
  }

  @Test
  void theNumberInASpellingIsTheSizeInBits() {
    for (ElementType type : ElementType.values()) {
      String bits = type.spelling().replaceAll("\\D", "");
      int other = type == ElementType.BOOL ? 1 : 0;
      assertEquals(bits.isEmpty() ? other : Integer.parseInt(bits) / 8, type.size(), type.name());
    }
  }

  /** Where the test runs is a folder of the repository. */
  private static Path repository() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.isDirectory(folder.resolve("capi/include"))) {
      folder = folder.getParent();
    }
    return folder;
  }
}
