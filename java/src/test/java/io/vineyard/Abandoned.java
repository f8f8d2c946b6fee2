package io.vineyard;

import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.function.Function;

/**
 * A program for {@link UnreferencedTest}: gives a put what nobody else refers to, and lets the collector work while the put
 * waits for a daemon that is stopped. In a JVM that compiles the library, where what a method has read last can be collected.
 */
final class Abandoned {
  private static final int SIZE = 1 << 20;  // not with the message: it is read once the daemon has answered
  private static final Cleaner CLEANER = Cleaner.create();

  private Abandoned() {}

  /** `arguments`: the socket. */
  public static void main(String[] arguments) throws Exception {
    try (Client client = Vineyard.connect(arguments[0])) {
      check(client, "direct buffer", none -> client.put(bytes(), BlobKind.BUFFER));
      check(client, "direct buffer in a value", none -> member(client, client.putValue(List.of(bytes())), "__elements_-0"));
      check(client, "direct buffer in a tree",
          none -> member(client, client.put(new ObjectMeta("t").add("it", bytes(), BlobKind.BUFFER)), "it"));
      check(client, "heap buffer", none -> client.put(ByteBuffer.wrap(array()), BlobKind.BUFFER));
      check(client, "array in a tree", none -> member(client, client.put(new ObjectMeta("t").add("it", array(), BlobKind.BUFFER)), "it"));
      check(client, "writer in a tree", writer -> member(client, client.put(new ObjectMeta("t").add("it", take(writer))), "it"));
      check(client, "writer", writer -> take(writer).seal());
    }
  }

  private static byte[] array() {
    byte[] array = new byte[SIZE];
    Arrays.fill(array, (byte) 7);
    return array;
  }

  private static ByteBuffer bytes() {
    return ByteBuffer.allocateDirect(SIZE).put(array()).flip();
  }

  private static BlobWriter take(BlobWriter[] writer) {
    BlobWriter taken = writer[0];
    writer[0] = null;
    return taken;
  }

  private static ObjectId member(Client client, ObjectId id, String name) {
    try (VineyardObject object = client.get(id)) {
      return object.members().get(name);
    }
  }

  private static void check(Client client, String what, Function<BlobWriter[], ObjectId> put) throws Exception {
    String daemon = client.status().get("pid").toString();
    BlobWriter[] writer = {client.createBlob(SIZE)};
    writer[0].buffer().put(array());
    kill("-STOP", daemon);
    FutureTask<ObjectId> stored = new FutureTask<>(() -> put.apply(writer));
    Thread thread = new Thread(stored);
    thread.start();
    while (!waits(thread)) {
      Thread.onSpinWait();
    }
    for (int i = 0; i < 3; ++i) {
      CountDownLatch collected = new CountDownLatch(1);
      CLEANER.register(new Object(), collected::countDown);
      System.gc();
      collected.await();
    }
    kill("-CONT", daemon);
    try (Blob blob = client.getBlob(stored.get())) {
      System.out.println(what + ": " + Arrays.equals(array(), blob.toByteArray()));
    }
    if (writer[0] != null) {
      writer[0].close();
    }
  }

  private static boolean waits(Thread thread) {
    StackTraceElement[] frames = thread.getStackTrace();
    return frames.length > 0 && frames[0].isNativeMethod() && frames[0].getClassName().equals("io.vineyard.internal.NativeJNI");
  }

  private static void kill(String signal, String process) throws IOException, InterruptedException {
    if (new ProcessBuilder("kill", signal, process).inheritIO().start().waitFor() != 0) {
      throw new AssertionError("kill " + signal + " " + process);
    }
  }
}
