import io.vineyard.ElementType;
import io.vineyard.Float64Array;
import io.vineyard.Vineyard;
import java.nio.DoubleBuffer;

/** A stage of the pipeline: every element halved, from one array in shared memory into another. Halve SOCKET IN_NAME OUT_NAME. */
public class Halve {
  private static final int STEP = 1 << 24;  // elements that one buffer is asked for

  public static void main(String[] arguments) {
    try (var client = Vineyard.connect(arguments[0]);
        var input = client.getTensor(client.getName(arguments[1]).id());
        var output = client.createBlob(input.byteSize())) {
      long begun = System.nanoTime();
      Float64Array from = input.as(Float64Array.class);
      for (long at = 0; at < from.size(); at += STEP) {
        int count = (int) Math.min(STEP, from.size() - at);
        halve(from.asBuffer(at, count), output.slice(8 * at, 8L * count).asDoubleBuffer());
      }
      var result = client.putTensor(ElementType.FLOAT64, output, false, from.size());
      client.putName(arguments[2], result);
      System.out.println("copied " + client.statistics().copiedPayloadBytes());
      System.out.println("worked " + (System.nanoTime() - begun) / 1e9);
    }
  }

  private static void halve(DoubleBuffer from, DoubleBuffer to) {
    for (int i = 0; i < from.remaining(); ++i) {
      to.put(i, from.get(i) / 2);
    }
  }
}
