package io.vineyard;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A program for {@link ScarceTest}: makes whatever holds something of the store, again and again with a little more stack or
 * heap than the time before, and closes none of it, which is for the collector. What that can not find stays in the store.
 */
final class Scarce {
  private static final int FRAMES = 60;  // from the end of the stack, in which a call may fail or not
  private static final int DIVES = 8;
  private static final int SHORTAGES = 60;

  private static final long PATIENCE_NS = 100_000_000_000L;

  private interface Call {
    Object make();
  }

  private record Node(byte[] bytes, Node next) {}

  private static final AtomicLong MADE = new AtomicLong(), FAILED = new AtomicLong();
  private static volatile Object kept;
  private static Node ballast;

  private Scarce() {}

  /** `arguments`: the socket, and "stack" or "heap". */
  public static void main(String[] arguments) throws InterruptedException {
    String socket = arguments[0];
    boolean stack = arguments[1].equals("stack");
    try (Client client = Vineyard.connect(socket)) {
      ObjectId blob = client.put(new byte[1000]);
      ObjectId array = client.putValue(new long[1000]);
      work(client, calls(socket, client, blob, array), stack);
      client.clear();  // also what was put by a call that failed later
      kept = null;
      if (MADE.get() == 0 || FAILED.get() == 0) {
        throw new AssertionError(MADE + " made, " + FAILED + " failed");
      }
      long end = System.nanoTime() + PATIENCE_NS;
      while ((Long) client.status().get("memory_used") != 0 || (Long) client.status().get("connections") != 1) {
        if (System.nanoTime() > end) {
          throw new AssertionError(client.status().toString());
        }
        System.gc();
      }
      System.out.println("all of it was given back");
    }
  }

  private static Map<String, Call> calls(String socket, Client client, ObjectId blob, ObjectId array) {
    VineyardObject open = client.get(array);
    VineyardObject buffer = open.member("buffer_");
    Map<String, Call> calls = new LinkedHashMap<>();
    calls.put("get of a blob", () -> client.getBlob(blob));
    calls.put("get of an array", () -> client.getTensor(array));
    calls.put("get of an object", () -> client.get(array));
    calls.put("a member", () -> open.member("buffer_"));
    calls.put("a member that is a blob", () -> open.memberBlob("buffer_"));
    calls.put("an object as a blob", () -> buffer.blob());
    calls.put("an object as an array", () -> open.tensor());
    calls.put("a value", () -> client.getValue(array));
    calls.put("a closed blob", () -> {
      try (Blob closed = client.getBlob(blob)) {
        return closed.buffer();
      }
    });
    calls.put("a closed object", () -> {
      try (VineyardObject closed = client.get(array)) {
        return closed.member("buffer_");
      }
    });
    calls.put("a writer", () -> client.createBlob(100_000));
    calls.put("a writer for all", () -> client.createBlob(100_000, BlobKind.BUFFER, Share.ALL));
    calls.put("a buffer of a writer", () -> client.createBlob(100_000).slice(0, 10));
    calls.put("a put", () -> {
      client.delete(client.put(new byte[100_000]));
      return null;
    });
    calls.put("a watch", () -> client.watch());
    calls.put("a client", () -> Vineyard.connect(socket));
    return calls;
  }

  private static void work(Client client, Map<String, Call> calls, boolean stack) throws InterruptedException {
    for (Call each : calls.values()) {
      each.make();  // its classes are loaded
    }
    client.put(new ObjectMeta("example::T").add("member", client.createBlob(8)));
    for (Call each : calls.values()) {
      for (int i = 0; i < (stack ? DIVES : 1); ++i) {
        Thread thread = new Thread(null, stack ? () -> dive(each) : () -> starve(each), "scarce", 512 << 10);
        thread.start();
        thread.join();
        System.gc();
      }
    }
  }

  private static void attempt(Call call) {
    try {
      kept = call.make();
      MADE.incrementAndGet();
    } catch (StackOverflowError | OutOfMemoryError expected) {
      FAILED.incrementAndGet();
    }
  }

  // Answers how many frames above this one the stack ended.
  private static int dive(Call call) {
    int above;
    try {
      above = dive(call);
    } catch (StackOverflowError end) {
      above = 0;
    }
    if (above < FRAMES) {
      try {
        attempt(call);
      } catch (StackOverflowError end) {
        // Not even that.
      }
    }
    return above + 1;
  }

  private static void starve(Call call) {
    for (int size : List.of(1 << 20, 1 << 12, 64, 0)) {
      try {
        for (;;) {
          ballast = new Node(new byte[size], ballast);
        }
      } catch (OutOfMemoryError full) {
        // The next size is smaller.
      }
    }
    for (int i = 0; i < SHORTAGES; ++i) {
      attempt(call);
      kept = null;
      ballast = ballast.next;
    }
    ballast = null;
  }
}
