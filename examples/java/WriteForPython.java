import io.vineyard.ElementType;
import io.vineyard.Vineyard;
import java.util.List;
import java.util.Map;

/** Puts a table under "from java" that read_from_java.py reads: a large column is written in shared memory directly. */
public class WriteForPython {
  public static void main(String[] arguments) {
    int rows = 1_000_000;
    try (var client = Vineyard.connect(arguments[0]); var column = client.createBlob(8L * rows)) {
      var squares = column.buffer().asLongBuffer();
      for (long i = 0; i < rows; ++i) {
        squares.put(i * i);
      }
      var squaresId = client.putTensor(ElementType.INT64, column, false, rows);

      var table = client.putValue(Map.of("name", "squares \uD83D\uDCC8", "columns", List.of(squaresId), "matrix",
          client.putTensor(new double[] {1, 2, 3, 4, 5, 6}, 2, 3)));
      client.replaceName("from java", table);
      System.out.println("put " + table + ", copied payload bytes: " + client.statistics().copiedPayloadBytes());
    }
  }
}
