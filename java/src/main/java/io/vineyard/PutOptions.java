package io.vineyard;

import java.util.Objects;

/**
 * How a put stores an object: {@code PutOptions.DEFAULT.withName("prices").withReplace()}.
 *
 * @param name given to it in the same step; null: none
 * @param replace whether the name may be taken: it moves then
 * @param persist whether it is published to the cluster as well
 * @param share who may read it; members that exist already must be shared alike
 */
public record PutOptions(String name, boolean replace, boolean persist, Share share) {
  /** No name, not persisted. */
  public static final PutOptions DEFAULT = new PutOptions(null, false, false, Share.DEFAULT);

  /** Checks. */
  public PutOptions {
    Objects.requireNonNull(share, "share");
  }

  /**
   * The same, with a name.
   *
   * @param newName 1 to 1,024 bytes of UTF-8; null: none
   * @return options
   */
  public PutOptions withName(String newName) {
    return new PutOptions(newName, replace, persist, share);
  }

  /**
   * The same, where the name may be taken.
   *
   * @return options
   */
  public PutOptions withReplace() {
    return new PutOptions(name, true, persist, share);
  }

  /**
   * The same, and published to the cluster.
   *
   * @return options
   */
  public PutOptions withPersist() {
    return new PutOptions(name, replace, true, share);
  }

  /**
   * The same, for others to read.
   *
   * @param who may read it
   * @return options
   */
  public PutOptions withShare(Share who) {
    return new PutOptions(name, replace, persist, who);
  }
}
