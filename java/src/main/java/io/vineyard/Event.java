package io.vineyard;

/**
 * One change of the cluster, from a {@link Watch}.
 *
 * @param kind what happened
 * @param id of the object; null where there is none
 * @param instance number of the instance; 0 where there is none
 * @param name empty where there is none
 */
public record Event(Kind kind, ObjectId id, long instance, String name) {
  /** What happened. */
  public enum Kind {
    /** An object was persisted, with what is below it; {@code instance} is its owner. */
    CREATED,
    /** A persisted object was deleted, likewise. */
    DELETED,
    /** {@code name} was given to {@code id}. */
    NAMED,
    /** {@code name} was taken away from {@code id}. */
    DROPPED,
    /** {@code instance} joined. */
    JOINED,
    /** {@code instance} is lost. */
    LOST,
    /** {@code instance} was taken out of the cluster. */
    FORGOTTEN,
    /** An object of the tree of {@code id} was labelled anew. */
    LABELLED,
    /** What happened up to here is not known any more: list anew. */
    COMPACTED;

    /** Null for a kind that this version does not know, to be passed over. */
    static Kind of(long number) {
      return number >= 1 && number <= values().length ? values()[(int) number - 1] : null;
    }
  }
}
