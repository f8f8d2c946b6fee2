package io.vineyard;

import java.util.Objects;

/**
 * Which objects a list is of.
 *
 * @param pattern of type names, or of one of their bases: {@code *}, {@code ?}, {@code [a-z]}
 * @param instance number of their owner; 0: any
 * @param label that they have; null: any or none
 * @param value of the label; null: any
 */
public record ListOptions(String pattern, long instance, String label, String value) {
  /** Checks. */
  public ListOptions {
    Objects.requireNonNull(pattern, "pattern");
    if (value != null && label == null) {
      throw new IllegalArgumentException("list: the value of no label");
    }
  }

  /**
   * All of these types.
   *
   * @param pattern of type names
   * @return options
   */
  public static ListOptions types(String pattern) {
    return new ListOptions(pattern, 0, null, null);
  }

  /**
   * The same, of one instance only.
   *
   * @param number of the instance
   * @return options
   */
  public ListOptions ofInstance(long number) {
    return new ListOptions(pattern, number, label, value);
  }

  /**
   * The same, with a label only.
   *
   * @param key of the label
   * @param wanted its value; null: any
   * @return options
   */
  public ListOptions withLabel(String key, String wanted) {
    return new ListOptions(pattern, instance, key, wanted);
  }
}
