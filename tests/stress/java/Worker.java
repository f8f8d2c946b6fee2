import io.vineyard.BlobKind;
import io.vineyard.BlobWriter;
import io.vineyard.Client;
import io.vineyard.ClientOptions;
import io.vineyard.DeleteOptions;
import io.vineyard.NamedObject;
import io.vineyard.ObjectId;
import io.vineyard.ObjectMeta;
import io.vineyard.PutOptions;
import io.vineyard.Status;
import io.vineyard.Vineyard;
import io.vineyard.VineyardException;
import io.vineyard.VineyardObject;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;

/**
 * One client of a soak in Java: what worker.cc does, with the jar.
 *
 * <pre>Worker BOARD NUMBER SOCKET SEED</pre>
 */
public final class Worker {
  private static final int KEPT = 24;
  private static final long SLACK_MS = 20_000;  // beyond a deadline, on a machine that has other things to do
  private static final long SLOW_MS = 3000;  // worth a line
  private static final String COUNTER = "soak/counter";

  /** A call that violence excuses; it was counted. */
  private static final class Failed extends RuntimeException {
    private static final long serialVersionUID = 1;
    final Status status;

    Failed(VineyardException why) {
      super(why);
      status = why.status();
    }
  }

  private final Board board;
  private final long number;
  private final Board.Page page;
  private final Random random;
  private final Client client;
  private final List<VineyardObject> kept = new ArrayList<>();
  private long thaws;  // those after which it has read again
  private BlobWriter writer;  // a payload that is half written
  private long writerKey;

  private Worker(Board board, long number, String socket, long seed) {
    this.board = board;
    this.number = number;
    this.page = board.page(number);
    this.random = new Random(seed);
    Duration deadline = Duration.ofMillis(board.head(Board.Head.DEADLINE_MS));
    ClientOptions options = ClientOptions.DEFAULT.withSocket(socket).withTimeout(deadline).withName("soak");
    Vineyard.version();  // loads the library, which takes a while and is no call
    Client connected = null;
    while (connected == null) {
      try {
        connected = call(() -> Vineyard.connect(options));
      } catch (Failed failed) {
        if (command() == Board.STOP) {
          throw failed;
        }
      }
    }
    client = connected;
  }

  public static void main(String[] words) throws Exception {
    new Worker(new Board(Path.of(words[0])), Long.parseLong(words[1]), words[2], Long.parseUnsignedLong(words[3])).run();
  }

  private long command() {
    return board.head(Board.Head.COMMAND);
  }

  private boolean evicts() {
    return board.head(Board.Head.EVICTS) != 0;
  }

  /** One call of the library: counted, timed, its exception sorted. */
  private <T> T call(Supplier<T> function) {
    long thaws = page.get(Board.Word.THAWS);
    long began = System.nanoTime();
    try {
      return function.get();
    } catch (VineyardException error) {
      if (error.getMessage().contains("died twice")) {
        page.add(Board.Word.DIED_TWICE, 1);
      } else if (error.status() == Status.TIMEOUT) {
        page.add(Board.Word.TIMEOUTS, 1);
      } else if (error.status() == Status.UNAVAILABLE) {
        page.add(Board.Word.UNAVAILABLE, 1);
      } else if (error.status() == Status.UNKNOWN) {
        page.add(Board.Word.UNKNOWN, 1);
      } else {
        throw error;
      }
      say("excused? " + error, null);
      throw new Failed(error);
    } finally {
      page.add(Board.Word.CALLS, 1);
      long took = (System.nanoTime() - began) / 1_000_000;
      if (page.get(Board.Word.THAWS) == thaws && thaws % 2 == 0) {
        page.set(Board.Word.SLOWEST_MS, Math.max(page.get(Board.Word.SLOWEST_MS), took));
        if (took > SLOW_MS) {
          say("slow: a call took " + took + " ms", new Throwable());
        }
        if (took > board.head(Board.Head.DEADLINE_MS) + SLACK_MS) {
          complain("a call took " + took + " ms");
        }
      }
    }
  }

  private void call(Runnable function) {
    call(() -> {
      function.run();
      return true;
    });
  }

  private void complain(String what) {
    page.add(Board.Word.ERRORS, 1);
    say("ERROR: " + what, null);
  }

  private static void say(String line, Throwable where) {
    System.err.println(System.nanoTime() / 1_000_000 + " " + line);
    if (where != null) {
      where.printStackTrace();
    }
  }

  // ---- the loop

  private void run() throws InterruptedException {
    while (command() != Board.STOP) {
      readAgain();
      if (command() == Board.PAUSE) {
        page.set(Board.Word.PAUSED, board.head(Board.Head.PAUSE));
        Thread.sleep(1);
        continue;
      }
      try {
        step();
      } catch (Failed failed) {
        continue;
      } catch (VineyardException.StoreFull full) {
        page.add(Board.Word.FULL, 1);
      } catch (RuntimeException error) {
        complain(error.toString());
        error.printStackTrace();
      }
    }
    if (writer != null) {
      writer.close();
    }
    for (VineyardObject object : kept) {
      verify(object);
      object.close();
    }
    client.close();
  }

  /** Behind the end of a freeze: what it holds. */
  private void readAgain() {
    long now = page.get(Board.Word.THAWS);
    if (now != thaws) {
      thaws = now;
      kept.forEach(this::verify);
      page.add(Board.Word.THAWED_READS, kept.size());
    }
  }

  private void step() {
    int what = random.nextInt(32);
    if (what < 3) {
      put(false, false, false);
    } else if (what < 4) {
      put(true, false, false);
    } else if (what < 6) {
      put(false, true, false);
    } else if (what < 7) {
      put(false, false, true);
    } else if (what < 9) {
      if (writer == null) {
        beginWriter();
      } else {
        endWriter();
      }
    } else if (what < 15) {
      Board.Entry entry = mine();
      if (entry == null) {
        put(false, false, false);
      } else {
        delete(entry);
      }
    } else if (what < 27) {
      get(what >= 25);
    } else if (what < 29) {
      count();
    } else if (what < 30) {
      label();
    } else if (what < 31) {
      await();
    } else if (board.head(Board.Head.PERSISTS) != 0) {
      persist();
    }
  }

  // ---- entries

  private Board.Entry free() {
    int from = random.nextInt(Board.ENTRIES);
    for (int i = 0; i < Board.ENTRIES; ++i) {
      Board.Entry entry = page.entry((from + i) % Board.ENTRIES);
      if (entry.state() == Board.FREE) {
        return entry;
      }
    }
    return null;
  }

  private static Board.Entry live(Board.Entry entry) {
    return entry.state() == Board.LIVE ? entry : null;
  }

  private Board.Entry mine() {
    return live(page.entry(random.nextInt(Board.ENTRIES)));
  }

  private Board.Entry anybodys() {
    return live(board.page(random.nextInt((int) board.head(Board.Head.WORKERS))).entry(random.nextInt(Board.ENTRIES)));
  }

  private long newKey() {
    page.add(Board.Word.SEQUENCE, 1);
    return (number << 40) + page.get(Board.Word.SEQUENCE);
  }

  private int anySize() {
    int kind = random.nextInt(32);
    if (kind == 0) {
      return (128 << 10) + random.nextInt(384 << 10);
    }
    return kind < 8 ? 8192 + random.nextInt(20000) : 1 + random.nextInt(600);
  }

  private ObjectMeta newMeta(long key) {
    return new ObjectMeta("soak::w" + number).set("key", key);
  }

  // ---- putting and deleting

  private void putEntry(Board.Entry entry, ObjectMeta meta, PutOptions options) {
    entry.state(Board.PUTTING);
    try {
      entry.id(call(() -> client.put(meta, options)).number());
    } catch (Failed failed) {
      if (failed.status != Status.UNKNOWN) {
        entry.state(Board.FREE);
      }
      throw failed;
    } catch (VineyardException error) {
      entry.state(Board.FREE);
      throw error;
    }
    page.add(Board.Word.PUTS, 1);
    entry.state(Board.LIVE);
  }

  private void put(boolean tree, boolean named, boolean isLink) {
    Board.Entry entry = free();
    if (entry == null) {
      get(false);
      return;
    }
    long key = newKey();
    ObjectMeta meta = newMeta(key);
    Board.Entry other = isLink ? anybodys() : null;
    // What another user has put is read by the same, but is no part of this user's.
    boolean isStrange = other != null && other.key() >> 40 >= board.head(Board.Head.STRANGERS);
    long link = other == null || other.link() != 0 || isStrange ? 0 : other.id();
    entry.key(key);
    entry.link(link);
    if (link != 0) {
      meta.add("other", new ObjectId(link));
    } else {
      ByteBuffer payload = Payload.make(key, anySize());
      meta.add("payload", payload, BlobKind.BUFFER);
      if (tree) {
        ObjectMeta part = new ObjectMeta("soak::part").add("payload", payload, BlobKind.BUFFER);
        meta.add("left", part).add("right", part);
      }
    }
    try {
      putEntry(entry, meta, named ? PutOptions.DEFAULT.withName("soak/" + number + "/" + key) : PutOptions.DEFAULT);
    } catch (VineyardException.NotFound error) {
      if (link == 0) {
        throw error;
      }
      page.add(Board.Word.MISSES, 1);
    }
  }

  private void beginWriter() {
    writerKey = newKey();
    int count = anySize();
    writer = call(() -> client.createBlob(8L * count));
    Payload.fill(writer.buffer(), writerKey, 0, count / 2);
  }

  // What daemons did meanwhile, and how long this process stood still, is nothing to a lease.
  private void endWriter() {
    Board.Entry entry = free();
    if (entry == null) {
      return;
    }
    try (BlobWriter ending = writer) {
      writer = null;
      int count = (int) (ending.size() / 8);
      int half = count / 2;
      Payload.fill(ending.slice(8L * half, 8L * (count - half)), writerKey, half, count);
      entry.key(writerKey);
      entry.link(0);
      putEntry(entry, newMeta(writerKey).add("payload", ending), PutOptions.DEFAULT);
    }
  }

  private void delete(Board.Entry entry) {
    long link = entry.link();
    ObjectId id = new ObjectId(entry.id());
    if (link == Board.COUNTER_LINK && call(() -> client.getName(COUNTER)).id().equals(id)) {
      return;  // a name goes with its object: this one stays until the name has gone on
    }
    // Where a link leads to is somebody else's.
    DeleteOptions options = new DeleteOptions(true, link != 0 && link != Board.COUNTER_LINK);
    entry.state(Board.DELETING);
    try {
      call(() -> client.delete(List.of(id), options));
      page.add(Board.Word.DELETES, 1);
      entry.state(Board.FREE);
    } catch (Failed failed) {
      if (failed.status != Status.UNKNOWN) {
        entry.state(Board.LIVE);
      }
      throw failed;
    } catch (VineyardException.NotFound error) {
      entry.state(evicts() ? Board.FREE : Board.LIVE);
      if (!evicts()) {
        throw error;
      }
      page.add(Board.Word.EVICTED, 1);
    }
  }

  // ---- reading

  private void verify(VineyardObject object) {
    var verifier = new Payload.Verifier();
    String wrong;
    try {
      wrong = verifier.check(object);
    } catch (VineyardException.TimedOut | VineyardException.Unavailable error) {
      page.add(Board.Word.TIMEOUTS, 1);  // memory that is not mapped yet is the daemon's to give
      say("excused? read: " + error.getMessage(), null);
      return;
    }
    if (!wrong.isEmpty()) {
      complain("read of " + object.id() + ": " + wrong);
    }
    page.add(Board.Word.GETS, 1);
    page.add(Board.Word.BYTES, verifier.bytes);
  }

  private void get(boolean keep) {
    Board.Entry entry = anybodys();
    if (entry == null) {
      return;
    }
    long id = entry.id();
    long key = entry.key();
    VineyardObject object;
    try {
      object = call(() -> client.get(new ObjectId(id)));
    } catch (VineyardException.NotFound error) {
      page.add(Board.Word.MISSES, 1);
      if (!evicts() && entry.state() == Board.LIVE && entry.id() == id && entry.key() == key) {
        complain("LOST object " + key);
      }
      return;
    }
    verify(object);
    if (!keep) {
      object.close();
      return;
    }
    kept.add(object);
    if (kept.size() > KEPT) {
      try (VineyardObject old = kept.remove(random.nextInt(kept.size()))) {
        verify(old);
        page.add(Board.Word.KEPT, 1);
      }
    }
  }

  // ---- names, labels, waits

  /** All workers add to one number: an object under a name, replaced by compare and set. */
  private void count() {
    if (evicts()) {
      return;
    }
    long value = 0;
    NamedObject named = null;
    try {
      named = call(() -> client.getName(COUNTER));
    } catch (VineyardException.NotFound error) {
      value = 0;  // nobody has counted yet
    }
    if (named != null) {
      ObjectId id = named.id();
      try (VineyardObject object = call(() -> client.get(id))) {
        value = object.getLong("value");
      } catch (VineyardException.NotFound error) {
        page.add(Board.Word.MISSES, 1);  // the name went on
        return;
      }
    }
    Board.Entry entry = free();
    if (entry == null) {
      return;
    }
    long key = newKey();
    long revision = named == null ? 0 : named.revision();
    entry.key(key);
    entry.link(Board.COUNTER_LINK);
    putEntry(entry, newMeta(key).set("value", value + 1).add("payload", Payload.make(key, 1), BlobKind.BUFFER), PutOptions.DEFAULT);
    page.add(Board.Word.MAYBE_COUNTED, 1);
    ObjectId id = new ObjectId(entry.id());
    try {
      call(() -> client.compareAndSetName(COUNTER, revision, id));
      page.add(Board.Word.COUNTED, 1);
      page.add(Board.Word.MAYBE_COUNTED, -1);
    } catch (Failed failed) {
      if (failed.status != Status.UNKNOWN) {
        page.add(Board.Word.MAYBE_COUNTED, -1);
      }
      throw failed;
    } catch (VineyardException.Conflict error) {
      page.add(Board.Word.CONFLICTS, 1);
      page.add(Board.Word.MAYBE_COUNTED, -1);
      delete(entry);
    }
  }

  private void label() {
    Board.Entry entry = mine();
    if (entry == null || evicts()) {
      return;
    }
    ObjectId id = new ObjectId(entry.id());
    String value = Long.toString(random.nextLong());
    call(() -> client.setLabel(id, "soak", value));
    if (!call(() -> client.labels(id)).equals(Map.of("soak", value))) {
      complain("a label is not what was set");
    }
    page.add(Board.Word.LABELS, 1);
  }

  /** For an object that is there, and for a name that nobody gives. */
  private void await() {
    Board.Entry entry = mine();
    if (entry != null && !evicts()) {
      ObjectId id = new ObjectId(entry.id());
      call(() -> client.waitFor(id, Duration.ofMillis(board.head(Board.Head.DEADLINE_MS))));
      page.add(Board.Word.WAITS, 1);
    }
    try {
      client.waitForName("soak/never", Duration.ofMillis(5));
      complain("a name that nobody gave");
    } catch (VineyardException.TimedOut late) {
      page.add(Board.Word.WAITS, 1);
    } catch (VineyardException.Unavailable away) {
      throw new Failed(away);
    }
  }

  private void persist() {
    Board.Entry entry = mine();
    if (entry != null && entry.link() == 0) {
      ObjectId id = new ObjectId(entry.id());
      call(() -> client.persist(id));
      page.add(Board.Word.PERSISTED, 1);
    }
  }
}
