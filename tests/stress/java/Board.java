import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The only place in Java that knows where on the board what lies: see board.h. */
final class Board {
  static final int ENTRIES = 96;
  static final long PAUSE = 1;
  static final long STOP = 2;
  static final long FREE = 0;
  static final long PUTTING = 1;
  static final long LIVE = 2;
  static final long DELETING = 3;
  static final long COUNTER_LINK = 1;

  private static final int HEAD = 16;
  private static final int PAGE = 32 + 4 * ENTRIES;
  private static final VarHandle WORD = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

  /** Words of the head, in order. */
  enum Head { COMMAND, PAUSE, WORKERS, PERSISTS, EVICTS, DEADLINE_MS, STRANGERS }

  /** Words of a page, in order. */
  enum Word {
    PAUSED, SEQUENCE, CALLS, GETS, BYTES, PUTS, DELETES, MISSES, FULL, TIMEOUTS, UNAVAILABLE, UNKNOWN, DIED_TWICE, CONFLICTS,
    COUNTED, MAYBE_COUNTED, LABELS, WAITS, KEPT, ERRORS, EVICTED, SLOWEST_MS, PERSISTED, THAWS,
    THAWED_READS
  }

  private final ByteBuffer bytes;

  Board(Path path) throws IOException {
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      bytes = file.map(FileChannel.MapMode.READ_WRITE, 0, file.size());
    }
  }

  private long load(int at) {
    return (long) WORD.getVolatile(bytes, 8 * at);
  }

  private void store(int at, long value) {
    WORD.setVolatile(bytes, 8 * at, value);
  }

  long head(Head word) {
    return load(word.ordinal());
  }

  Page page(long number) {
    return new Page(HEAD + (int) number * PAGE);
  }

  /** What one worker says, and what it has. */
  final class Page {
    private final int at;

    private Page(int at) {
      this.at = at;
    }

    long get(Word word) {
      return load(at + word.ordinal());
    }

    void set(Word word, long value) {
      store(at + word.ordinal(), value);
    }

    void add(Word word, long more) {
      set(word, get(word) + more);
    }

    Entry entry(int number) {
      return new Entry(at + 32 + 4 * number);
    }
  }

  /** One object of the ledger. */
  final class Entry {
    private final int at;

    private Entry(int at) {
      this.at = at;
    }

    long state() {
      return load(at);
    }

    void state(long value) {
      store(at, value);
    }

    long id() {
      return load(at + 1);
    }

    void id(long value) {
      store(at + 1, value);
    }

    long key() {
      return load(at + 2);
    }

    void key(long value) {
      store(at + 2, value);
    }

    long link() {
      return load(at + 3);
    }

    void link(long value) {
      store(at + 3, value);
    }
  }
}
