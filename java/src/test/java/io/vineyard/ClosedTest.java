package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What is closed says so at every use, and is closed again without harm. */
class ClosedTest extends WithClient {
  /** Every public method of a closed object, but `works`, which need nothing that is gone. */
  private void assertClosed(AutoCloseable closed, String... works) {
    Arguments arguments = new Arguments(client);
    assertAll(Arguments.declared(closed.getClass()).stream()
        .filter(method -> !(closed instanceof Watch && method.getName().equals("next")))  // has its own exception
        .map(method -> () -> assertClosed(closed, (Method) method, arguments.of(method), Set.of(works).contains(method.getName()))));
  }

  private void assertClosed(Object closed, Method method, Object[] given, boolean works) {
    if (works) {
      assertDoesNotThrow(() -> method.invoke(closed, given), method::toString);
      return;
    }
    Throwable thrown = assertThrows(InvocationTargetException.class, () -> method.invoke(closed, given), method::toString).getCause();
    assertInstanceOf(IllegalStateException.class, thrown, method::toString);
    assertTrue(thrown.getMessage().contains("closed"), () -> method + ": " + thrown);
  }

  @Test
  void aClient() {
    Client closed = daemon.connect();
    closed.close();
    assertClosed(closed, "socket", "isConnected", "close", "toString");
    assertFalse(closed.isConnected());
    assertEquals("Client[" + daemon.socket() + ", closed]", closed.toString());
  }

  @Test
  void aBlob() {
    Blob closed = client.getBlob(client.put(new byte[8]));
    closed.close();
    assertClosed(closed, "id", "size", "isClosed", "close", "toString");
    assertTrue(closed.isClosed());
    assertTrue(closed.toString().endsWith(", closed]"), closed::toString);
  }

  @Test
  void aBlobWhoseBufferIsStillThere() {
    Blob closed = client.getBlob(client.put(new byte[8]));
    ByteBuffer buffer = closed.buffer();
    closed.close();
    assertClosed(closed, "id", "size", "isClosed", "close", "toString");
    assertEquals(8, buffer.remaining());
  }

  @Test
  void aBlobWriter() {
    BlobWriter closed = client.createBlob(8);
    closed.close();
    assertClosed(closed, "id", "size", "close", "toString");
    BlobWriter sealed = client.createBlob(8);
    ObjectId id = sealed.seal();
    sealed.close();
    sealed.close();
    assertClosed(sealed, "id", "size", "close", "toString");
    assertTrue(client.exists(id));
  }

  @Test
  void anArray() {
    Tensor closed = client.getTensor(client.putValue(new long[1]));
    closed.close();
    assertClosed(closed, "id", "elementType", "shape", "dimensions", "isFortran", "size", "byteSize", "blob", "close", "toString");
    assertTrue(closed.blob().isClosed());
  }

  @Test
  void aValue() {
    OpenValue closed = client.openValue(client.putValue(new long[1]));
    closed.close();
    assertClosed(closed, "close", "toString");
    assertTrue(closed.toString().endsWith(", closed]"), closed::toString);
  }

  @Test
  void anObject() {
    ObjectId id = client.put(new ObjectMeta("example::T").set("text", 1));
    for (boolean asked : new boolean[] {false, true}) {  // what was read of it once is no exception
      VineyardObject closed = client.get(id);
      if (asked) {
        assertEquals(1, closed.getLong("text"));
      }
      closed.close();
      assertClosed(closed, "id", "close", "toString");
    }
  }

  @Test
  void aWatch() {
    Watch closed = client.watch();
    closed.close();
    assertClosed(closed, "hasNext", "close");  // an iterator that has ended
    assertFalse(closed.hasNext());
    assertThrows(NoSuchElementException.class, closed::next);
  }

  @Test
  void aWatchOfAClosedClient() {
    Client closed = daemon.connect();
    Watch watch = closed.watch();
    closed.close();
    assertFalse(watch.hasNext());
    assertEquals("client of " + daemon.socket() + ": it is closed", assertThrows(IllegalStateException.class, watch::next).getMessage());
    watch.close();
    assertThrows(NoSuchElementException.class, watch::next);
  }

  @Test
  void aStream() {
    for (int i = 0; i < 300; ++i) {
      client.putName("stream" + i, client.putValue(i));
    }
    for (Stream<?> stream : List.of(client.list("*"), client.names("*"))) {
      stream.close();
      stream.close();
      assertThrows(IllegalStateException.class, stream::count);
    }
    for (Stream<?> stream : List.of(client.list("*"), client.names("*"))) {
      Iterator<?> iterator = stream.iterator();
      iterator.next();
      stream.close();
      assertThrows(IllegalStateException.class, () -> iterator.forEachRemaining(each -> {}));
    }
  }

  @Test
  void whatAClosedClientHasGivenIsReadOn() {
    Client first = daemon.connect();
    Blob blob = first.getBlob(client.put(new byte[] {1, 2, 3}));
    VineyardObject object = first.get(client.put(new ObjectMeta("example::T").set("n", 7).add("m", new byte[] {4}, BlobKind.BYTES)));
    BlobWriter writer = first.createBlob(8);
    Watch watch = first.watch();
    Stream<ObjectId> list = first.list("*");
    first.close();
    assertEquals(3, blob.buffer().get(2));
    assertEquals(7, object.getLong("n"));
    assertEquals(4, object.memberBlob("m").buffer().get(0));
    assertThrows(IllegalStateException.class, writer::buffer);
    for (Executable each : List.<Executable>of(writer::seal, writer::abort, list::count, () -> watch.poll(Duration.ofSeconds(100)), watch::next)) {
      IllegalStateException error = assertThrows(IllegalStateException.class, each);
      assertTrue(error.getMessage().contains("closed"), error.getMessage());
    }
    for (AutoCloseable each : List.of(blob, object, writer, watch, list, first)) {
      assertDoesNotThrow(each::close);
      assertDoesNotThrow(each::close);
    }
  }
}
