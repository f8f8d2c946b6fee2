package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Who may read what is put. Several users of one daemon are tried in C and in Python. */
class ShareTest extends WithClient {
  private static final byte[] LARGE = new byte[300_000];

  private long storeOf(ObjectId id) {
    try (VineyardObject object = client.get(id)) {
      return object.instance();
    }
  }

  @Test
  void whatIsSharedLiesInAStoreOfItsOwnAndReadsTheSame() {
    for (Share share : List.of(Share.USER, Share.ALL)) {
      PutOptions options = PutOptions.DEFAULT.withShare(share).withName("shared " + share.number());
      ObjectId list = client.putValue(List.of("a", 1L, List.of(2L)), options);
      assertEquals(List.of("a", 1L, List.of(2L)), client.getValue(list));
      assertEquals(list, client.getName("shared " + share.number()).id());
      ObjectId bytes = client.put(ByteBuffer.wrap(LARGE), BlobKind.BYTES, PutOptions.DEFAULT.withShare(share));
      assertArrayEquals(LARGE, (byte[]) client.getValue(bytes));
      assertEquals(storeOf(list), storeOf(bytes));
      assertEquals(share.equals(Share.USER), storeOf(list) == client.instance());
      client.delete(list, bytes);
    }
  }

  @Test
  void aBlobIsWrittenForOthers() {
    try (BlobWriter writer = client.createBlob(LARGE.length, BlobKind.BUFFER, Share.ALL)) {
      writer.fill(to -> to.put(LARGE));
      ObjectId blob = writer.seal();
      assertNotEquals(client.instance(), storeOf(blob));
      ObjectId object = client.put(new ObjectMeta("example::T").add("blob", blob), PutOptions.DEFAULT.withShare(Share.ALL));
      var mixed = assertThrows(VineyardException.class, () -> client.put(new ObjectMeta("example::T").add("blob", blob)));
      assertEquals(true, mixed.getMessage().contains("parent and member are read by the same"), mixed.getMessage());
      client.delete(object);
    }
  }

  @Test
  void aClientSaysItForAllThatItPuts() {
    try (Client sharing = Vineyard.connect(ClientOptions.DEFAULT.withSocket(client.socket()).withShare(Share.ALL))) {
      ObjectId id = sharing.putValue(List.of("a"));
      assertNotEquals(client.instance(), storeOf(id));
      try (VineyardObject object = client.get(id)) {
        assertEquals(object.ownerUid(), ownUid());
      }
      sharing.delete(id);
    }
  }

  private int ownUid() {
    ObjectId own = client.putValue(1L);
    try (VineyardObject object = client.get(own)) {
      return object.ownerUid();
    }
  }

  @Test
  void whatNobodyIsCalledIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> new Share(4, 0));
    assertThrows(IllegalArgumentException.class, () -> new Share(3, 1));
    assertThrows(VineyardException.PermissionDenied.class,
        () -> client.putValue(1L, PutOptions.DEFAULT.withShare(Share.group(0x7ffffff1))));
  }
}
