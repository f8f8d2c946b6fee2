package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Clients, writers and watches that nobody refers to any more, in the middle of what they do. */
class UnreferencedTest {
  private static String run(Class<?> program) throws IOException {
    try (Daemon daemon = new Daemon();
        Child child = new Child(List.of(Child.TEST_CLASSES, Child.CLASSES), "-Xcomp", "-XX:CompileCommand=quiet",
            "-XX:CompileCommand=compileonly,io.vineyard.*::*", program.getName(), daemon.socket())) {
      return child.end().expect(0).output();
    }
  }

  @Test
  void theCollectorTakesNothingFromACallThatRuns() throws IOException {
    assertEquals("sealed: 500\nawaited: true\nwatched: CREATED\n", run(Unreferenced.class));
  }

  @Test
  void theCollectorTakesNothingThatAPutWasGiven() throws IOException {
    assertEquals("""
        direct buffer: true
        direct buffer in a value: true
        direct buffer in a tree: true
        heap buffer: true
        array in a tree: true
        writer in a tree: true
        writer: true
        """, run(Abandoned.class));
  }
}
