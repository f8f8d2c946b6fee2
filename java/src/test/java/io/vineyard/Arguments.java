package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.lang.reflect.Executable;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** An argument of each type that public methods take: a right one, for tests that go through all methods. */
final class Arguments {
  private final Map<Class<?>, Object> known;

  Arguments(Client client) {
    known = Map.ofEntries(
        Map.entry(ObjectId.class, ObjectId.EMPTY_BLOB), Map.entry(ObjectId[].class, new ObjectId[] {ObjectId.EMPTY_BLOB}),
        Map.entry(Collection.class, List.of(ObjectId.EMPTY_BLOB)), Map.entry(String.class, "text"), Map.entry(byte[].class, new byte[8]),
        Map.entry(ByteBuffer.class, ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN)), Map.entry(BlobKind.class, BlobKind.BUFFER), Map.entry(Object.class, new long[1]),
        Map.entry(long[].class, new long[] {1}), Map.entry(ElementType.class, ElementType.INT64), Map.entry(ObjectMeta.class, new ObjectMeta("t")),
        Map.entry(Duration.class, Duration.ZERO), Map.entry(ListOptions.class, ListOptions.types("*")), Map.entry(Position.class, Position.NONE),
        Map.entry(PutOptions.class, PutOptions.DEFAULT), Map.entry(Share.class, Share.DEFAULT), Map.entry(int.class, 1), Map.entry(DeleteOptions.class, DeleteOptions.DEFAULT),
        Map.entry(boolean.class, false), Map.entry(long.class, 0L), Map.entry(Class.class, ByteBuffer.class), Map.entry(Map.class, Map.of()),
        Map.entry(List.class, List.of()), Map.entry(Object[].class, new Object[] {1}), Map.entry(RemotePolicy.class, RemotePolicy.NONE),
        Map.entry(ClientOptions.class, ClientOptions.DEFAULT), Map.entry(VineyardObject.class, client.get(ObjectId.EMPTY_BLOB)),
        Map.entry(BlobWriter.class, client.createBlob(8)));
  }

  /** For all parameters of a method. */
  Object[] of(Executable method) {
    return Arrays.stream(method.getParameterTypes())
        .map(type -> present(known.get(type), type)).toArray();
  }

  private static Object present(Object argument, Class<?> type) {
    assertNotNull(argument, () -> "no argument of " + type);
    return argument;
  }

  /** Public methods and constructors that a class declares, or a class of this package that it extends. */
  static List<Executable> declared(Class<?> type) {
    return Stream.<Class<?>>iterate(type, each -> each.getPackage().equals(Arguments.class.getPackage()), Class::getSuperclass)
        .flatMap(each -> declaredBy(each).stream()).toList();
  }

  private static List<Executable> declaredBy(Class<?> type) {
    return Stream.<Executable>concat(Stream.of(type.getDeclaredMethods()), Stream.of(type.getDeclaredConstructors()))
        .filter(method -> Modifier.isPublic(method.getModifiers()) && !method.isSynthetic()).toList();
  }
}
