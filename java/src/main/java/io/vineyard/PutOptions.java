package io.vineyard;

/**
 * How a put stores an object: {@code PutOptions.DEFAULT.withName("prices").withReplace()}.
 *
 * @param name given to it in the same step; null: none
 * @param replace whether the name may be taken: it moves then
 * @param persist whether it is published to the cluster as well
 */
public record PutOptions(String name, boolean replace, boolean persist) {
  /** No name, not persisted. */
  public static final PutOptions DEFAULT = new PutOptions(null, false, false);

  /**
   * The same, with a name.
   *
   * @param newName 1 to 1,024 bytes of UTF-8; null: none
   * @return options
   */
  public PutOptions withName(String newName) {
    return new PutOptions(newName, replace, persist);
  }

  /**
   * The same, where the name may be taken.
   *
   * @return options
   */
  public PutOptions withReplace() {
    return new PutOptions(name, true, persist);
  }

  /**
   * The same, and published to the cluster.
   *
   * @return options
   */
  public PutOptions withPersist() {
    return new PutOptions(name, replace, true);
  }
}
