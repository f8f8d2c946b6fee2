package io.vineyard;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/**
 * A program for {@link UnreferencedTest}, in a JVM that compiles all of the library: there an object can be collected while
 * one of its methods runs, and may not be closed then by what collects it.
 */
final class Unreferenced {
  private static final Duration PATIENCE = Duration.ofSeconds(100);

  private static final Executor OWN_THREAD = work -> new Thread(work).start();

  private Unreferenced() {}

  /** `arguments`: the socket. */
  public static void main(String[] arguments) {
    String socket = arguments[0];
    try (Client client = Vineyard.connect(socket)) {
      System.out.println("sealed: " + seal(client));
      ObjectId id = client.putValue(1L);
      long connections = connections(client);
      CompletableFuture<NamedObject> name = CompletableFuture.supplyAsync(() -> waitForName(socket), OWN_THREAD);
      CompletableFuture<Event> event = CompletableFuture.supplyAsync(() -> next(socket), OWN_THREAD);
      while (connections(client) < connections + 3 && !name.isDone() && !event.isDone()) {  // a watch has one of its own
        Thread.onSpinWait();
      }
      for (int i = 0; i < 2; ++i) {  // the cleaner has done all of a collection, at the latest with the next
        connections = connections(client);
        abandon(socket);
        while (connections(client) > connections) {
          System.gc();
        }
      }
      client.persist(id);
      client.putName("awaited", id);
      System.out.println("awaited: " + name.join().id().equals(id));
      System.out.println("watched: " + event.join().kind());
    }
  }

  private static long connections(Client client) {
    return (Long) client.status().get("connections");
  }

  private static void abandon(String socket) {
    Vineyard.connect(socket);
  }

  private static NamedObject waitForName(String socket) {
    return Vineyard.connect(socket).waitForName("awaited", PATIENCE);
  }

  private static Event next(String socket) {
    return Vineyard.connect(socket).watch().next();
  }

  private static long seal(Client client) {
    CompletableFuture<Void> collecting = new CompletableFuture<>();
    Thread collector = new Thread(() -> {
      while (!collecting.isDone()) {
        System.gc();
      }
    });
    collector.start();
    try {
      List<ObjectId> ids = new ArrayList<>();
      for (int i = 0; i < 500; ++i) {
        ids.add(client.createBlob(100).seal());
      }
      long found = ids.stream().filter(client::exists).count();
      client.delete(ids, DeleteOptions.DEFAULT);
      return found;
    } finally {
      collecting.complete(null);
    }
  }
}
