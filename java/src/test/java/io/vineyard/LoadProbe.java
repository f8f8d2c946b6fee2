package io.vineyard;

import io.vineyard.internal.NativeLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/**
 * A program for {@link LoaderTest}: loads the native library in so many threads at once, and says by whom it was loaded or
 * what was wrong, once for each of two further calls, and how many files of that name are mapped.
 */
final class LoadProbe {
  private LoadProbe() {}

  /** `arguments`: the number of threads. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    Thread[] threads = new Thread[Integer.parseInt(arguments[0])];
    CountDownLatch together = new CountDownLatch(threads.length);
    for (int i = 0; i < threads.length; ++i) {
      threads[i] = new Thread(() -> {
        together.countDown();
        try {
          together.await();
          NativeLibrary.load();
        } catch (UnsatisfiedLinkError | InterruptedException error) {
          // Said below.
        }
      });
      threads[i].start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    try {
      NativeLibrary.load();
      System.out.println("loaded from " + NativeLibrary.origin());
    } catch (UnsatisfiedLinkError error) {
      System.out.println(error.getMessage());
    }
    try {
      Vineyard.connect("/nobody");
    } catch (UnsatisfiedLinkError error) {
      System.out.println(error.getMessage());
    } catch (VineyardException.Unavailable error) {
      System.out.println("loaded from " + NativeLibrary.origin());
    }
    long mapped = Files.readAllLines(Path.of("/proc/self/maps")).stream().filter(line -> line.contains("vineyard") && line.contains(" r-xp "))
        .count();
    System.out.println("mapped: " + mapped);
  }
}
