package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.vineyard.internal.Handle;
import io.vineyard.internal.Holder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Native handles whose owner can not be made. */
class HolderTest {
  private final List<Long> freed = new ArrayList<>();

  private Handle handle(String failure) {
    return new Handle("handle", null, pointer -> {
      freed.add(pointer);
      if (failure != null) {
        throw new IllegalStateException(failure);
      }
    }, false);
  }

  @Test
  void areGivenBackAndTheCallSaysWhyThereIsNoOwner() {
    var error = assertThrows(IllegalArgumentException.class, () -> Holder.own(handle(null), null, none -> 7, () -> {
      throw new IllegalArgumentException("no owner");
    }));
    assertEquals("no owner", error.getMessage());
    assertEquals(List.of(7L), freed);
  }

  @Test
  void thatCanNotBeGivenBackFailNeitherThatCallNorALaterOne() {
    for (int i = 0; i < 2; ++i) {
      var error = assertThrows(IllegalArgumentException.class, () -> Holder.own(handle("can not be freed"), null, none -> 8, () -> {
        throw new IllegalArgumentException("no owner");
      }));
      assertEquals("no owner", error.getMessage());
    }
    assertEquals(List.of(8L, 8L), freed);
    Handle later = handle(null);
    assertEquals(9L, Holder.own(later, null, none -> 9, later::pointer).longValue());
    assertFalse(later.isClosed());
  }
}
