package io.vineyard;

import io.vineyard.internal.Handle;
import io.vineyard.internal.Native;
import io.vineyard.internal.Utf8;
import io.vineyard.internal.Values;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * What a client finds without knowing ids: lists, labels, names, and the cluster behind its daemon. Thread-safe.
 */
abstract class Catalog extends Connection {
  private static final long DEFAULT_WAIT = -1;

  Catalog(Handle client) {
    super(client);
  }

  // ---- labels

  /**
   * Sets a label of an object. Labels may change, objects do not.
   *
   * @param id of any object
   * @param key of the label
   * @param value null or empty: takes it away
   */
  public void setLabel(ObjectId id, String key, String value) {
    byte[] keyBytes = Utf8.name("label", key);
    byte[] valueBytes = Utf8.nameOrNull("value of label '" + key + "'", value);
    run(client -> Native.vineyard_label_set(client, numberOf(id), keyBytes, valueBytes));
  }

  /**
   * The labels of an object.
   *
   * @param id of any object
   * @return keys and values, a copy
   */
  public Map<String, String> labels(ObjectId id) {
    Map<String, String> labels = new LinkedHashMap<>();
    Values.decodeMap(call(client -> Native.vy_labels(client, numberOf(id)))).forEach((key, value) -> labels.put(key, (String) value));
    return labels;
  }

  // ---- lists

  /**
   * Objects by type, ordered by type name and id, fetched as the stream goes. What is put or deleted meanwhile may or may
   * not be seen. Close the stream if it is not read to its end.
   *
   * @param pattern of type names, or of one of their bases: {@code *}, {@code ?}, {@code [a-z]}
   * @return ids; sequential
   */
  public Stream<ObjectId> list(String pattern) {
    return list(ListOptions.types(pattern));
  }

  /**
   * The same with options.
   *
   * @param options which objects
   * @return ids; sequential
   */
  public Stream<ObjectId> list(ListOptions options) {
    Objects.requireNonNull(options, "options");
    byte[] pattern = Utf8.name("pattern", options.pattern());
    byte[] label = Utf8.nameOrNull("label", options.label());
    byte[] value = Utf8.nameOrNull("value of the label", options.value());
    Handle list = new Handle("list", null, Native::vineyard_list_release, false);
    return own(list, client -> Native.vy_list_open(client, pattern, options.page(), options.instance(), label, value),
        () -> Pages.stream(this, list, pages -> {
          List<ObjectId> page = new ArrayList<>();
          for (long number : Native.vy_list_next(pages)) {
            page.add(new ObjectId(number));
          }
          return page;
        }));
  }

  /**
   * The type names that have objects here.
   *
   * @return names and numbers of objects
   */
  public Map<String, Long> types() {
    Map<String, Long> types = new LinkedHashMap<>();
    Values.decodeMap(call(Native::vy_types)).forEach((name, count) -> types.put(name, ((Number) count).longValue()));
    return types;
  }

  // ---- names

  /**
   * Names an object.
   *
   * @param name 1 to 1,024 bytes of UTF-8
   * @param id of an object that exists
   * @return the revision of the name
   * @throws VineyardException.AlreadyExists it is taken; the text says by which object
   * @throws VineyardException.NotFound there is no such object
   */
  public long putName(String name, ObjectId id) {
    return putName(name, id, false, false, 0);
  }

  /**
   * Names an object, also where the name is taken.
   *
   * @param name 1 to 1,024 bytes of UTF-8
   * @param id of an object that exists
   * @return the revision of the name
   * @throws VineyardException.NotFound there is no such object
   */
  public long replaceName(String name, ObjectId id) {
    return putName(name, id, true, false, 0);
  }

  /**
   * Names an object if the name has not changed.
   *
   * @param name 1 to 1,024 bytes of UTF-8
   * @param expected revision that the name must have; 0: it must not exist
   * @param id of an object that exists
   * @return the new revision of the name
   * @throws VineyardException.Conflict it has another revision
   * @throws VineyardException.NotFound there is no such object
   */
  public long compareAndSetName(String name, long expected, ObjectId id) {
    return putName(name, id, true, true, expected);
  }

  private long putName(String name, ObjectId id, boolean replace, boolean compare, long expected) {
    byte[] bytes = Utf8.name("name", name);
    return answer(client -> Native.vy_name_put(client, bytes, numberOf(id), replace ? 1 : 0, compare ? 1 : 0, expected));
  }

  /**
   * The object that has a name.
   *
   * @param name of an object
   * @return name, object and revision
   * @throws VineyardException.NotFound nobody has it
   */
  public NamedObject getName(String name) {
    return getName(name, Duration.ZERO, false);
  }

  /**
   * The same, waiting for the name to be given.
   *
   * @param name of an object
   * @param longest how long to wait
   * @return name, object and revision
   * @throws VineyardException.TimedOut it was not given in time
   */
  public NamedObject waitForName(String name, Duration longest) {
    return getName(name, longest, false);
  }

  /**
   * The same as of now in the whole cluster, not as of what the daemon has heard.
   *
   * @param name of an object
   * @return name, object and revision
   * @throws VineyardException.NotFound nobody has it
   */
  public NamedObject getLatestName(String name) {
    return getName(name, Duration.ZERO, true);
  }

  /**
   * The same, waiting for the name to be given.
   *
   * @param name of an object
   * @param longest how long to wait
   * @return name, object and revision
   * @throws VineyardException.TimedOut it was not given in time
   */
  public NamedObject waitForLatestName(String name, Duration longest) {
    return getName(name, longest, true);
  }

  private NamedObject getName(String name, Duration longest, boolean latest) {
    byte[] bytes = Utf8.name("name", name);
    long timeout = milliseconds(longest);
    long[] found = call(client -> Native.vy_name_get(client, bytes, latest ? 1 : 0, timeout));
    return new NamedObject(name, new ObjectId(found[0]), found[1]);
  }

  /**
   * Takes a name away; the object stays.
   *
   * @param name of an object
   * @throws VineyardException.NotFound nobody has it
   */
  public void dropName(String name) {
    byte[] bytes = Utf8.name("name", name);
    run(client -> Native.vy_name_drop(client, bytes, 0, 0));
  }

  /**
   * The same if the name has not changed.
   *
   * @param name of an object
   * @param expected revision that the name must have
   * @throws VineyardException.Conflict it has another revision
   */
  public void compareAndDropName(String name, long expected) {
    byte[] bytes = Utf8.name("name", name);
    run(client -> Native.vy_name_drop(client, bytes, 1, expected));
  }

  /**
   * Names in the order of their bytes, fetched as the stream goes. Close it if it is not read to its end.
   *
   * @param pattern of names: {@code *}, {@code ?}, {@code [a-z]}
   * @return names, objects and revisions; sequential
   */
  public Stream<NamedObject> names(String pattern) {
    byte[] bytes = Utf8.name("pattern", pattern);
    Handle list = new Handle("list of names", null, Native::vineyard_name_list_release, false);
    return own(list, client -> Native.vineyard_name_list_open(client, bytes), () -> Pages.stream(this, list, pages -> {
      List<Object> parts = Values.decodeList(Native.vy_name_list_next(pages));
      List<NamedObject> page = new ArrayList<>();
      for (int i = 0; i < parts.size(); i += 3) {
        page.add(new NamedObject((String) parts.get(i), new ObjectId((Long) parts.get(i + 1)), (Long) parts.get(i + 2)));
      }
      return page;
    }));
  }

  // ---- the cluster

  /**
   * The instances of the cluster, by number, lost ones among them.
   *
   * @return a copy
   */
  public List<Instance> instances() {
    List<Instance> instances = new ArrayList<>();
    for (Object each : Values.decodeList(call(Native::vy_instances))) {
      List<?> parts = (List<?>) each;
      instances.add(new Instance(number(parts, 0), number(parts, 1) != 0, VineyardObject.instant(number(parts, 2)), number(parts, 3),
          number(parts, 4), number(parts, 5), (String) parts.get(6), (String) parts.get(7), (String) parts.get(8)));
    }
    return instances;
  }

  private static long number(List<?> parts, int index) {
    return ((Number) parts.get(index)).longValue();
  }

  /**
   * Takes a lost instance out of the cluster, with what it had persisted and the names of that.
   *
   * @param number of the instance
   * @throws VineyardException there is none, or it is alive
   */
  public void forgetInstance(long number) {
    run(client -> Native.vineyard_instance_forget(client, number));
  }

  /**
   * The number of this client's instance.
   *
   * @return as in {@link Instance#number()}
   */
  public long instance() {
    return answer(Native::vineyard_client_instance);
  }

  /**
   * What the daemon knows now; what this client has changed is in it.
   *
   * @return for {@link #waitFor(Position, Duration)} of another client
   */
  public Position position() {
    return positionOf(call(Native::vy_client_revision));
  }

  /**
   * Waits until the daemon knows what lies before a position.
   *
   * @param position of another client
   * @param longest how long to wait
   * @throws VineyardException.TimedOut it does not yet
   */
  public void waitFor(Position position, Duration longest) {
    Objects.requireNonNull(position, "position");
    long timeout = milliseconds(longest);
    run(client -> Native.vy_client_wait_revision(client, position.generation(), position.entries(), timeout));
  }

  /**
   * Waits until the daemon knows everything that was changed anywhere before this call.
   *
   * @return how far that is
   */
  public Position sync() {
    return positionOf(call(client -> Native.vy_client_sync(client, DEFAULT_WAIT)));
  }

  /**
   * The same with a time-out.
   *
   * @param longest how long to wait
   * @return how far that is
   * @throws VineyardException.TimedOut it does not yet
   */
  public Position sync(Duration longest) {
    long timeout = milliseconds(longest);
    return positionOf(call(client -> Native.vy_client_sync(client, timeout)));
  }

  private static Position positionOf(long[] numbers) {
    return new Position(numbers[0], numbers[1]);
  }

  /**
   * Follows the changes of the cluster from now on. What is not persisted is no matter of the cluster: of it nothing is seen.
   *
   * @return to be closed
   */
  public Watch watch() {
    return watch(Position.NONE);
  }

  /**
   * Follows the changes of the cluster behind a position.
   *
   * @param after of an earlier watch; {@link Position#NONE}: from now on
   * @return to be closed
   */
  public Watch watch(Position after) {
    Objects.requireNonNull(after, "position");
    Handle watch = Watch.newHandle();
    return own(watch, client -> Native.vy_watch_open(client, after.generation(), after.entries()), () -> new Watch(watch, this));
  }
}
