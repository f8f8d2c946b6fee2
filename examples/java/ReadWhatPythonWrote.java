import io.vineyard.Float64Array;
import io.vineyard.Tensor;
import io.vineyard.Tuple;
import io.vineyard.Vineyard;
import io.vineyard.VineyardObject;
import java.nio.ByteBuffer;
import java.util.Map;

/** Reads what write_for_java.py has put under "from python": a dict with an array, text and raw bytes. */
public class ReadWhatPythonWrote {
  public static void main(String[] arguments) {
    try (var client = Vineyard.connect(arguments[0])) {
      var id = client.getName("from python").id();

      // As plain values of Java. The array and the buffer are read in place, until the value is closed: no byte of them is copied.
      try (var open = client.openValue(id)) {
        var value = (Map<?, ?>) open.get();
        var prices = ((Tensor) value.get("prices")).as(Float64Array.class);
        double sum = 0;
        for (long i = 0; i < prices.size(); ++i) {
          sum += prices.get(i);
        }
        System.out.println("text: " + value.get("text"));
        System.out.println("pair: " + ((Tuple) value.get("pair")).get(0) + " and " + ((Tuple) value.get("pair")).get(1));
        System.out.println("prices: " + prices.size() + " of them, sum " + sum);
        var raw = (ByteBuffer) value.get("raw");
        System.out.println("raw: " + raw.remaining() + " bytes, the first is " + raw.get(0));
      }

      // Or as the object that it is: typed fields and members, whatever its type.
      try (VineyardObject object = client.get(id)) {
        System.out.println(object.typeName() + " of " + object.nbytes() + " bytes, members " + object.members().size());
      }
      System.out.println("copied payload bytes: " + client.statistics().copiedPayloadBytes());
    }
  }
}
