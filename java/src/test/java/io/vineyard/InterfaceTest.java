package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Each function of the C interface is in {@code docs/java.md}, with the method that is the same, which there is. */
class InterfaceTest {
  private static final Path ROOT = Path.of("..");

  private static Set<String> all(String pattern, String text) {
    return new TreeSet<>(Pattern.compile(pattern).matcher(text).results().map((MatchResult found) -> found.group(1)).toList());
  }

  @Test
  void everyFunctionHasAPlaceInJava() throws IOException {
    Set<String> functions = new TreeSet<>();
    for (String header : List.of("vineyard.h", "cluster.h", "share.h")) {
      String text = Files.readString(ROOT.resolve("capi/include/vineyard").resolve(header));
      functions.addAll(all("VINEYARD_API [^;]*?\\b(vineyard_\\w+)\\(", text));
    }
    assertTrue(functions.size() > 100, functions::toString);
    assertEquals(functions, all("`(vineyard_\\w+)`", Files.readString(ROOT.resolve("docs/java.md"))));
  }

  @Test
  void everyMethodThatIsNamedThereIsOne() throws IOException, ClassNotFoundException {
    Set<String> methods = all("`([A-Z]\\w+\\.\\w+)`", Files.readString(ROOT.resolve("docs/java.md")));
    methods.removeAll(Set.of("Thread.interrupt", "ByteBuffer.put", "ObjectMeta.new"));
    assertTrue(methods.size() > 80, methods::toString);
    for (String each : methods) {
      String[] parts = each.split("\\.");
      Class<?> type = Class.forName("io.vineyard." + parts[0]);
      assertTrue(Arrays.stream(type.getMethods()).anyMatch(method -> method.getName().equals(parts[1])), each);
    }
  }
}
