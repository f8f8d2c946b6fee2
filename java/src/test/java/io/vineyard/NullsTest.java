package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A null where none may be says so by name, and does nothing. */
class NullsTest extends WithClient {
  /** Parameters that may be null: method and the parameter's number. */
  private static final Set<String> MAY_BE = Set.of("Client.putValue 0", "PutOptions.withName 0", "PutOptions.PutOptions 0", "Client.setLabel 2", "ObjectMeta.set 1",
      "ClientOptions.withSocket 0", "ClientOptions.withTimeout 0",
      "ClientOptions.withName 0", "ClientOptions.ClientOptions 0", "ClientOptions.ClientOptions 1", "ClientOptions.ClientOptions 2", "ClientOptions.equals 0",
      "ListOptions.withLabel 0", "ListOptions.withLabel 1", "ListOptions.ListOptions 2", "ListOptions.ListOptions 3", "ListOptions.equals 0", "Tuple.equals 0",
      "ObjectId.equals 0", "Position.equals 0", "ObjectId.compareTo 0", "Position.compareTo 0");  // compareTo: by the JVM

  private final List<org.junit.jupiter.api.function.Executable> checks = new ArrayList<>();
  // Once, and kept: what nobody can reach is given back at any time, also between two looks at what the store holds.
  private Arguments arguments;

  private void add(Class<?> type, Object receiver) {
    for (Executable method : Arguments.declared(type)) {
      Class<?>[] parameters = method.getParameterTypes();
      for (int i = 0; i < parameters.length; ++i) {
        String simple = method instanceof Constructor ? type.getSimpleName() : method.getName();
        String parameter = type.getSimpleName() + "." + simple + " " + i;
        if (parameters[i].isPrimitive() || MAY_BE.contains(parameter) || MAY_BE.contains(parameter + " of " + parameters.length)) {
          continue;
        }
        Object[] given = arguments.of(method);
        given[i] = null;
        checks.add(() -> assertNullRefused(method, receiver, given));
      }
    }
  }

  private static void assertNullRefused(Executable method, Object receiver, Object[] given) {
    String call = method + " of " + Arrays.toString(given);
    Throwable thrown = assertThrows(InvocationTargetException.class, () -> {
      if (method instanceof Constructor<?> constructor) {
        constructor.newInstance(given);
      } else {
        ((Method) method).invoke(receiver, given);
      }
    }, call).getCause();
    assertInstanceOf(NullPointerException.class, thrown, call);
    assertNotNull(thrown.getMessage(), call);
    assertTrue(thrown.getMessage().matches("[a-z ();',]+"), () -> call + " says: " + thrown.getMessage());  // not the JVM's own text
  }

  @Test
  void ofEveryPublicMethod() {
    arguments = new Arguments(client);
    add(Vineyard.class, null);
    add(ClientOptions.class, ClientOptions.DEFAULT);
    add(ObjectId.class, ObjectId.EMPTY_BLOB);
    add(ListOptions.class, ListOptions.types("*"));
    add(Position.class, Position.NONE);
    add(Tuple.class, Tuple.of());
    add(ObjectMeta.class, new ObjectMeta("t"));
    add(Client.class, client);
    try (Blob blob = client.getBlob(client.put(new byte[8]));
        BlobWriter writer = client.createBlob(8);
        Tensor tensor = client.getTensor(client.putValue(new long[1]));
        VineyardObject object = client.get(tensor.id());
        Watch watch = client.watch()) {
      add(Blob.class, blob);
      add(BlobWriter.class, writer);
      add(Tensor.class, tensor);
      add(VineyardObject.class, object);
      add(Watch.class, watch);
      var before = client.status();
      assertAll(checks);
      var after = client.status();
      for (String count : List.of("objects", "blobs", "names", "memory_used")) {
        assertEquals(before.get(count), after.get(count), count);
      }
    }
  }

  @Test
  void insideOfWhatIsGiven() {
    ObjectId id = client.putValue("text");
    List<ObjectId> withNull = Arrays.asList(id, null);
    for (org.junit.jupiter.api.function.Executable each : List.<org.junit.jupiter.api.function.Executable>of(
        () -> client.delete(id, null), () -> client.delete(withNull, DeleteOptions.DEFAULT), () -> client.persist(id, null))) {
      NullPointerException error = assertThrows(NullPointerException.class, each);
      assertEquals("id", error.getMessage());
    }
    assertTrue(client.exists(id));
    assertEquals(Arrays.asList(1L, null), client.getValue(client.putValue(Arrays.asList(1L, null))));
  }
}
