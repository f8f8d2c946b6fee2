package io.vineyard.bench;

import io.vineyard.Blob;
import io.vineyard.BlobKind;
import io.vineyard.Client;
import io.vineyard.DeleteOptions;
import io.vineyard.Float64Array;
import io.vineyard.ObjectId;
import io.vineyard.Tensor;
import io.vineyard.Vineyard;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** A client of the daemon at VINEYARD_IPC_SOCKET: gets, puts, and reading in place beside a plain array. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class ClientBenchmark {
  private static final int ELEMENTS = 8 << 20;  // 64 MiB

  private Client client;
  private ObjectId blob;
  private ObjectId array;
  private ObjectId arrayBlob;
  private double[] plain;
  private Tensor tensor;
  private Float64Array view;
  private final byte[] kilobyte = new byte[1024];
  private final ByteBuffer direct = ByteBuffer.allocateDirect(1024);

  /** Connects and stores what is read. */
  @Setup(Level.Trial)
  public void connect() {
    client = Vineyard.connect();
    blob = client.put(kilobyte);
    plain = new double[ELEMENTS];
    for (int i = 0; i < ELEMENTS; ++i) {
      plain[i] = i;
    }
    array = client.putValue(plain);
    tensor = client.getTensor(array);
    arrayBlob = tensor.blob().id();
    view = tensor.as(Float64Array.class);
  }

  /** Leaves the daemon as it was. */
  @TearDown(Level.Trial)
  public void disconnect() {
    tensor.close();
    client.clear();
    client.close();
  }

  /** Get of a blob and release. */
  @Benchmark
  public long getBlob() {
    try (Blob got = client.getBlob(blob)) {
      return got.size();
    }
  }

  /** Get of an array, its first element, and release. */
  @Benchmark
  public double getArray() {
    try (Tensor got = client.getTensor(array)) {
      return got.as(Float64Array.class).get(0);
    }
  }

  /** Get of an array and release, unread. */
  @Benchmark
  public long getArrayUnread() {
    try (Tensor got = client.getTensor(array)) {
      return got.size();
    }
  }

  /** Put of 1 KiB from Java's heap. */
  @Benchmark
  public ObjectId put() {
    return client.put(kilobyte);
  }

  /** The same from memory outside of it. */
  @Benchmark
  public ObjectId putDirect() {
    return client.put(direct, BlobKind.BUFFER);
  }

  /** What was put goes behind every second of it, but what is read. */
  @TearDown(Level.Iteration)
  public void deleteWhatWasPut() {
    List<ObjectId> put = client.list("vineyard::Blob").filter(id -> !id.equals(blob) && !id.equals(arrayBlob)).toList();
    for (int i = 0; i < put.size(); i += 1000) {
      client.delete(put.subList(i, Math.min(put.size(), i + 1000)), DeleteOptions.DEFAULT);
    }
  }

  /** An exchange with the daemon that does nothing there. */
  @Benchmark
  public boolean bareRoundTrip() {
    return client.exists(ABSENT);
  }

  private static final ObjectId ABSENT = new ObjectId(0x0000010000000001L);

  /** Sum of 64 MiB in shared memory. */
  @Benchmark
  public double scanView() {
    double sum = 0;
    for (long i = 0; i < view.size(); ++i) {
      sum += view.get(i);
    }
    return sum;
  }

  /** Sum of 64 MiB in Java's heap. */
  @Benchmark
  public double scanPlain() {
    double sum = 0;
    for (int i = 0; i < plain.length; ++i) {
      sum += plain[i];
    }
    return sum;
  }
}
