package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What has many things to end. */
class EndsTest {
  @Test
  void endsAllOfThemAndSaysWhatFailedFirst() {
    List<RuntimeException> ended = new ArrayList<>();
    List<RuntimeException> things = List.of(new IllegalStateException("one"), new IllegalArgumentException("two"));
    Throwable failed = null;
    for (int i = 0; i < 2; ++i) {
      failed = Ends.each(things, thing -> {
        ended.add(thing);
        throw thing;
      }, failed);
    }
    assertEquals(4, ended.size());
    Throwable answered = failed;
    assertSame(things.get(0), assertThrows(IllegalStateException.class, () -> Ends.check(answered)));
    assertSame(things.get(1), answered.getSuppressed()[0]);
    Ends.check(null);
  }
}
