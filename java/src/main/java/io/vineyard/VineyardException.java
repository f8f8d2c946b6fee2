package io.vineyard;

/**
 * What the store answers when it can not do what was asked. Root of all exceptions of this package; those that
 * programs catch have a class of their own, nested here, the others are this one. {@link #status()} says exactly.
 */
public class VineyardException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** What went wrong. */
  private final Status status;
  /** An id, or 0. */
  private long stored;

  /**
   * Made by the library.
   *
   * @param status what went wrong
   * @param text for people, one line
   */
  protected VineyardException(Status status, String text) {
    super(text);
    this.status = status;
  }

  /**
   * What went wrong.
   *
   * @return never null
   */
  public Status status() {
    return status;
  }

  /**
   * What was stored all the same: the object whose put failed behind that, when it was to be persisted.
   *
   * @return its id; {@link Client#persist} may be called with it. null: nothing was stored
   */
  public ObjectId stored() {
    return stored == 0 ? null : new ObjectId(stored);
  }

  VineyardException withStored(long id) {
    stored = id;
    return this;
  }

  /**
   * The exception for a status.
   *
   * @param status what went wrong
   * @param text for people, one line
   * @return an exception of the status' own class, where it has one
   */
  static VineyardException of(Status status, String text) {
    return switch (status) {
      case NOT_FOUND -> new NotFound(text);
      case EXISTS -> new AlreadyExists(text);
      case OUT_OF_MEMORY -> new StoreFull(text);
      case TIMEOUT -> new TimedOut(text);
      case UNAVAILABLE -> new Unavailable(text);
      case INTERRUPTED -> new Interrupted(text);
      case PERMISSION -> new PermissionDenied(text);
      case TYPE -> new TypeMismatch(text);
      case LIMIT -> new LimitExceeded(text);
      case CONFLICT -> new Conflict(text);
      case IN_USE -> new InUse(text);
      case REMOTE -> new Remote(text);
      case LOST -> new Lost(text);
      case CORRUPT -> new Corrupt(text);
      case UNKNOWN -> new UnknownOutcome(text);
      default -> new VineyardException(status, text);
    };
  }

  /** No such object, name, field or member. */
  public static final class NotFound extends VineyardException {
    private static final long serialVersionUID = 1;

    NotFound(String text) {
      super(Status.NOT_FOUND, text);
    }
  }

  /** The name is taken. */
  public static final class AlreadyExists extends VineyardException {
    private static final long serialVersionUID = 1;

    AlreadyExists(String text) {
      super(Status.EXISTS, text);
    }
  }

  /** The store is full; nothing was stored. */
  public static final class StoreFull extends VineyardException {
    private static final long serialVersionUID = 1;

    StoreFull(String text) {
      super(Status.OUT_OF_MEMORY, text);
    }
  }

  /** The deadline passed. */
  public static final class TimedOut extends VineyardException {
    private static final long serialVersionUID = 1;

    TimedOut(String text) {
      super(Status.TIMEOUT, text);
    }
  }

  /** No daemon, or no metadata service, answers. */
  public static final class Unavailable extends VineyardException {
    private static final long serialVersionUID = 1;

    Unavailable(String text) {
      super(Status.UNAVAILABLE, text);
    }
  }

  /** The thread was interrupted while it waited; its interrupt status is still set. */
  public static final class Interrupted extends VineyardException {
    private static final long serialVersionUID = 1;

    Interrupted(String text) {
      super(Status.INTERRUPTED, "the thread was interrupted while it waited: " + text);
    }
  }

  /** The system or the daemon refuses this user. */
  public static final class PermissionDenied extends VineyardException {
    private static final long serialVersionUID = 1;

    PermissionDenied(String text) {
      super(Status.PERMISSION, text);
    }
  }

  /** The value, field or object is of another type. */
  public static final class TypeMismatch extends VineyardException {
    private static final long serialVersionUID = 1;

    TypeMismatch(String text) {
      super(Status.TYPE, text);
    }
  }

  /** Larger, longer or deeper than allowed. */
  public static final class LimitExceeded extends VineyardException {
    private static final long serialVersionUID = 1;

    LimitExceeded(String text) {
      super(Status.LIMIT, text);
    }
  }

  /** Compare-and-set found another revision. */
  public static final class Conflict extends VineyardException {
    private static final long serialVersionUID = 1;

    Conflict(String text) {
      super(Status.CONFLICT, text);
    }
  }

  /** Other objects link to it. */
  public static final class InUse extends VineyardException {
    private static final long serialVersionUID = 1;

    InUse(String text) {
      super(Status.IN_USE, text);
    }
  }

  /** The payload lives on another instance. */
  public static final class Remote extends VineyardException {
    private static final long serialVersionUID = 1;

    Remote(String text) {
      super(Status.REMOTE, text);
    }
  }

  /** The instance that had the payload is gone. */
  public static final class Lost extends VineyardException {
    private static final long serialVersionUID = 1;

    Lost(String text) {
      super(Status.LOST, text);
    }
  }

  /** What is stored is not as it has to be. */
  public static final class Corrupt extends VineyardException {
    private static final long serialVersionUID = 1;

    Corrupt(String text) {
      super(Status.CORRUPT, text);
    }
  }

  /** The change may or may not have been applied. */
  public static final class UnknownOutcome extends VineyardException {
    private static final long serialVersionUID = 1;

    UnknownOutcome(String text) {
      super(Status.UNKNOWN, text);
    }
  }
}
