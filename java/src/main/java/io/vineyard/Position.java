package io.vineyard;

import java.io.Serializable;

/**
 * So many changes of the cluster, for "read what I wrote" over several daemons: {@link Client#position()} behind a
 * change, {@link Client#waitFor(Position, java.time.Duration)} at the other. A plain value that programs may send each
 * other.
 *
 * @param generation of the log of changes
 * @param entries in that generation
 */
public record Position(long generation, long entries) implements Comparable<Position>, Serializable {
  private static final long serialVersionUID = 1;

  /** Before everything. */
  public static final Position NONE = new Position(0, 0);

  @Override
  public int compareTo(Position other) {
    int order = Long.compareUnsigned(generation, other.generation);
    return order != 0 ? order : Long.compareUnsigned(entries, other.entries);
  }
}
