import io.vineyard.Blob;
import io.vineyard.Client;
import io.vineyard.Float32Array;
import io.vineyard.NamedObject;
import io.vineyard.ObjectId;
import io.vineyard.ObjectMeta;
import io.vineyard.Vineyard;
import io.vineyard.VineyardException;
import io.vineyard.VineyardObject;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * The Java program of the matrix: writes what Java can put, prints what others put.
 *
 * <pre>
 *   Matrix write SOCKET            puts every case, named java/&lt;case&gt;
 *   Matrix read SOCKET WRITER      prints every object that is named &lt;WRITER&gt;/&lt;case&gt;
 *   Matrix refuse SOCKET WRITER    asks for what an object is not, prints the errors
 *   Matrix large SOCKET WRITER     see ../large.py
 * </pre>
 */
public final class Matrix {
  private final Client client;
  private final PrintStream out;

  private Matrix(Client client, PrintStream out) {
    this.client = client;
    this.out = out;
  }

  public static void main(String[] words) {
    PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16), false,
        StandardCharsets.US_ASCII);
    try (out; Client client = Vineyard.connect(words[1])) {
      Matrix matrix = new Matrix(client, out);
      switch (words[0]) {
        case "write" -> new Cases(client, out).write();
        case "read" -> matrix.read(words[2]);
        case "refuse" -> matrix.refuse(words[2]);
        case "large" -> matrix.large(words[2]);
        default -> throw new IllegalArgumentException("no such command: " + words[0]);
      }
    }
  }

  private void read(String writer) {
    List<NamedObject> all;
    try (Stream<NamedObject> names = client.names(writer + "/*")) {
      all = names.toList();
    }
    for (NamedObject named : all) {
      String end = "read " + named.name().substring(writer.length() + 1);
      long before = copied();
      try (VineyardObject object = client.get(named.id())) {
        out.print("object\n" + ObjectText.of(object));
        String inPlace = ValueText.inPlace(client, object);
        out.print("value\n" + inPlace);
        out.print("copied " + (copied() - before) + "\n");
        // And a plain getValue gives the same, as byte[] and String; one refusal in it is that of all of it.
        String plain = ValueText.plain(client, object);
        if (!inPlace.contains(plain) || (!inPlace.equals(plain) && !plain.startsWith("unsupported "))) {
          end = end.replaceFirst("read", "failed") + " getValue gives " + plain.lines().limit(3).toList();
        }
      } catch (RuntimeException error) {
        end = end.replaceFirst("read", "failed") + " " + error;
      }
      out.print(end + "\n");
    }
  }

  private void refuse(String writer) {
    ObjectId text = idOf(writer + "/str_ascii");
    refused("array of a string", () -> client.getTensor(text));
    refused("blob of a string", () -> client.getBlob(text));
    refused("member of a string", () -> client.get(text).member("buffer_"));
    refused("array without a buffer",
        () -> client.getTensor(client.put(new ObjectMeta("vineyard::Array").set("shape_", List.of(1)))));
    refused("name of nothing", () -> idOf(writer + "/no such case"));
    refused("floats of an array of integers",
        () -> client.getTensor(idOf(writer + "/array_int32")).as(Float32Array.class));
    refused("value of a type of one's own", () -> client.getValue(idOf(writer + "/meta_empty")));
    refused("value of an object of Java's", () -> client.putValue(new Object()));
  }

  private void refused(String what, Supplier<Object> attempt) {
    try {
      out.print("accepted " + what + ": " + attempt.get() + "\n");
    } catch (VineyardException error) {
      out.print("refused " + what + ": " + error.status().number() + " " + error.getMessage() + "\n");
    }
  }

  // A blob beyond 4 GiB, and an array that begins there: see ../large.py.
  private void large(String writer) {
    long copied = copied();
    ObjectId id = idOf(writer + "/large");
    try (VineyardObject object = client.get(id); Blob blob = object.blob()) {
      long size = blob.size();
      long before = object.getLong("value_offset_");
      out.print("length " + size + "\n");
      out.print("before " + Text.data(blob.storedSlice(0, before)) + "\n");
      out.print("behind " + Text.data(blob.storedSlice(before + size, blob.storedSize() - before - size)) + "\n");
      long two = 1L << 31;
      long four = 1L << 32;
      for (long at : new long[] {0, two - 8, two, four - 8, four, four + 8, size - 8}) {
        out.print("at " + at + " " + Text.data(blob.slice(at, 8)) + "\n");
      }
    }
    try (VineyardObject part = client.get(idOf(writer + "/large_part"))) {
      out.print(ValueText.plain(client, part));
    }
    out.print("copied " + (copied() - copied) + "\n");
  }

  private ObjectId idOf(String name) {
    return client.getName(name).id();
  }

  private long copied() {
    return client.statistics().copiedPayloadBytes();
  }
}
