package io.vineyard;

/**
 * Who may read what is put: {@link #USER}, {@link #group}, {@link #ALL}. Only the user who put it, its owner, can delete, name and
 * label it.
 *
 * @param number as in the C interface: 0 to 3
 * @param gid with 2: the group
 */
public record Share(int number, int gid) {
  /** As the client was told, else as the daemon was ({@code --share}). */
  public static final Share DEFAULT = new Share(0, 0);

  /** The owner alone. */
  public static final Share USER = new Share(1, 0);

  /** Whoever may connect. */
  public static final Share ALL = new Share(3, 0);

  /** Checks. */
  public Share {
    if (number < 0 || number > 3 || (number != 2 && gid != 0)) {
      throw new IllegalArgumentException("share " + number + " with group " + Integer.toUnsignedString(gid) + ": there is no such share");
    }
  }

  /**
   * The owner, and who is in a group.
   *
   * @param gid its number, unsigned; the owner must be in it
   * @return that
   */
  public static Share group(int gid) {
    return new Share(2, gid);
  }
}
