package io.vineyard;

/** What went wrong: the numbers of the C interface. They are never renumbered. */
public enum Status {
  /** An argument, id, name or handle that can not be right. */
  INVALID(-1),
  /** No such object, name, field or member. */
  NOT_FOUND(-2),
  /** The name is taken. */
  EXISTS(-3),
  /** The store is full; nothing was stored. */
  OUT_OF_MEMORY(-4),
  /** The deadline passed. */
  TIMEOUT(-5),
  /** No daemon, or no metadata service, answers. */
  UNAVAILABLE(-6),
  /** The thread was interrupted while it waited. */
  INTERRUPTED(-7),
  /** The system or the daemon refuses this user. */
  PERMISSION(-8),
  /** Built to different layouts or protocols. */
  VERSION(-9),
  /** The other side broke the protocol. */
  PROTOCOL(-10),
  /** The value, field or object is of another type. */
  TYPE(-11),
  /** Larger, longer or deeper than allowed. */
  LIMIT(-12),
  /** Compare-and-set found another revision. */
  CONFLICT(-13),
  /** Other objects link to it. */
  IN_USE(-14),
  /** The handle belongs to the parent process. */
  FORKED(-15),
  /** The payload lives on another instance. */
  REMOTE(-16),
  /** This process or host is out of memory or descriptors. */
  HOST_MEMORY(-17),
  /** Not offered by this build or daemon. */
  UNSUPPORTED(-18),
  /** Stored bytes do not pass their checks. */
  CORRUPT(-19),
  /** The change may or may not have been applied. */
  UNKNOWN(-20),
  /** The blob is sealed already. */
  SEALED(-21),
  /** A system call failed unexpectedly. */
  IO(-22),
  /** The instance that had the payload is gone. */
  LOST(-23),
  /** A defect of Vineyard. */
  INTERNAL(-99);

  private final int number;

  Status(int number) {
    this.number = number;
  }

  /**
   * The number in the C interface.
   *
   * @return a negative number
   */
  public int number() {
    return number;
  }

  /**
   * The status with this number.
   *
   * @param number of the C interface
   * @return the status; {@link #INTERNAL} for a number that is none
   */
  public static Status of(int number) {
    for (Status status : values()) {
      if (status.number == number) {
        return status;
      }
    }
    return INTERNAL;
  }

  /**
   * Whether the same call may succeed later.
   *
   * @return true for a time-out, an unavailable service, an interrupted wait and a full store
   */
  public boolean isRetryable() {
    return this == TIMEOUT || this == UNAVAILABLE || this == INTERRUPTED || this == OUT_OF_MEMORY;
  }
}
