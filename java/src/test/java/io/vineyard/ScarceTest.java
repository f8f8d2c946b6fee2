package io.vineyard;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The stack or the heap of a JVM ends in the middle of calls: nothing of the store is lost by that. */
class ScarceTest {
  private static void run(String which, String... options) throws IOException {
    String[] arguments = new String[options.length + 3];
    System.arraycopy(options, 0, arguments, 0, options.length);
    arguments[options.length] = Scarce.class.getName();
    try (Daemon daemon = new Daemon()) {
      arguments[options.length + 1] = daemon.socket();
      arguments[options.length + 2] = which;
      try (Child child = new Child(List.of(Child.TEST_CLASSES, Child.CLASSES), arguments)) {
        child.await("all of it was given back");
        child.end().expect(0);
      }
    }
  }

  @Test
  void nothingIsLostWhereTheStackEnds() throws IOException {
    run("stack", "-Xint");
  }

  @Test
  void nothingIsLostWhereTheStackOfCompiledCodeEnds() throws IOException {
    run("stack", "-XX:CompileCommand=quiet", "-XX:CompileCommand=exclude,io.vineyard.Scarce::dive");  // whose frames are all alike
  }

  @Test
  void nothingIsLostWhereTheHeapIsFull() throws IOException {
    run("heap", "-Xmx24m", "-XX:+UseSerialGC");
  }
}
