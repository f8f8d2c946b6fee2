package io.vineyard;

/**
 * What a delete deletes: {@code DeleteOptions.DEFAULT.withForce()}.
 *
 * @param force also what others link to: it goes when they are gone
 * @param shallow members stay
 */
public record DeleteOptions(boolean force, boolean shallow) {
  /** Nothing that others link to, and members that nobody else holds. */
  public static final DeleteOptions DEFAULT = new DeleteOptions(false, false);

  /**
   * The same, also of what others link to.
   *
   * @return options
   */
  public DeleteOptions withForce() {
    return new DeleteOptions(true, shallow);
  }

  /**
   * The same, without members.
   *
   * @return options
   */
  public DeleteOptions withShallow() {
    return new DeleteOptions(force, true);
  }
}
