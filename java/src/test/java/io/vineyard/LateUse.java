package io.vineyard;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A program for {@link OutlivingTest}: uses buffers whose blob, writer and client are closed, whose objects are deleted,
 * whose memory was given back, and whose daemon was restarted. What it reads may be anything.
 */
final class LateUse {
  private static final int[] SIZES = {1, 100, 4096, 70_000, 1 << 20, 20 << 20};

  private final List<ByteBuffer> read = new ArrayList<>();
  private final List<ByteBuffer> written = new ArrayList<>();
  private final List<TypedArray> arrays = new ArrayList<>();
  private final List<Blob> kept = new ArrayList<>();  // what may be closed only behind the client

  private LateUse() {}

  /**
   * `arguments`: the socket, and which buffers: "read" ones of closed blobs, "open" ones of blobs that are closed late, or
   * "written" ones; each keeps memory mapped that the others would miss. A line from the standard input says that the daemon was restarted.
   */
  public static void main(String[] arguments) throws IOException {
    LateUse use = new LateUse();
    try (Client client = Vineyard.connect(arguments[0])) {
      for (int size : SIZES) {
        switch (arguments[1]) {
          case "read" -> use.read(client, size);
          case "open" -> use.open(client, size);
          default -> use.write(client, size);
        }
      }
      use.all();
      System.out.println("blobs and writers are closed");
    }
    use.all();
    use.writeWhatIsGivenBack(arguments[0]);
    try (Client other = Vineyard.connect(arguments[0])) {
      other.clear();
      other.trim();
      use.all();
      other.put(new byte[40 << 20]);  // lies where they were
      use.all();
    }
    System.out.println("clients are closed");
    new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
    use.all();
    try (Client other = Vineyard.connect(arguments[0])) {
      other.put(new byte[40 << 20]);
      use.all();
    }
    use.kept.forEach(Blob::close);
    use.all();
    System.out.println("the daemon was restarted");
    use.read.clear();
    use.written.clear();
    use.arrays.clear();
    use.kept.clear();
    System.gc();
  }

  private void read(Client client, int size) {
    ObjectId id = client.put(new byte[size]);
    try (Blob blob = client.getBlob(id)) {
      read.add(blob.buffer());
      read.add(blob.slice(size - 1, 1).duplicate());
      read.add(blob.storedBuffer());
      arrays.add(blob.as(Uint8Array.class));
    }
    try (Tensor tensor = client.getTensor(client.putValue(new double[size / 8]))) {
      arrays.add(tensor.as(Float64Array.class));
    }
    try (VineyardObject object = client.get(id); Blob blob = object.blob()) {
      read.add(blob.buffer());
    }
  }

  private void open(Client client, int size) {
    Blob open = client.getBlob(client.put(new byte[size]));
    read.add(open.buffer().slice());
    kept.add(open);
  }

  private void write(Client client, int size) {
    ObjectId deleted;
    try (BlobWriter sealed = client.createBlob(size)) {
      written.add(sealed.buffer());
      sealed.shrink((size + 1) / 2);
      deleted = sealed.seal();
    }
    client.delete(deleted);
    try (BlobWriter aborted = client.createBlob(size)) {
      written.add(aborted.buffer());
      aborted.abort();
    }
    try (BlobWriter unsealed = client.createBlob(size)) {
      written.add(unsealed.buffer());
      written.add(unsealed.slice(size / 2, 1));
    }
    written.add(client.createBlob(size).buffer());  // nobody closes it
  }

  // Of a client that is open and looks which memory is of no use any more.
  private void writeWhatIsGivenBack(String socket) {
    try (Client client = Vineyard.connect(socket)) {
      try (BlobWriter writer = client.createBlob(40 << 20)) {
        written.add(writer.buffer());
      }
      client.clear();
      client.trim();
      client.status();
      all();
    }
  }

  private void all() {
    System.gc();
    for (ByteBuffer each : read) {
      each.get(0, new byte[each.capacity()]);
      for (int i = 0; i < each.capacity(); i += 512) {
        each.get(i);
      }
    }
    for (TypedArray each : arrays) {
      if (each instanceof Float64Array numbers) {
        numbers.toArray();
        numbers.stream().sum();
      } else {
        ((Uint8Array) each).toArray();
      }
    }
    for (ByteBuffer each : written) {
      each.put(0, new byte[each.capacity()]);
      for (int i = 0; i < each.capacity(); i += 512) {
        each.put(i, (byte) (each.get(i) + 1));
      }
    }
  }
}
