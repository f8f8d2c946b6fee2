package io.vineyard;

import java.util.Objects;

/**
 * Which objects a list is of.
 *
 * @param pattern of type names, or of one of their bases: {@code *}, {@code ?}, {@code [a-z]}
 * @param instance number of their owner; 0: any
 * @param label that they have; null: any or none
 * @param value of the label; null: any
 * @param page how many are fetched at a time; 0: 1,000
 */
public record ListOptions(String pattern, long instance, String label, String value, long page) {
  /** Checks. */
  public ListOptions {
    Objects.requireNonNull(pattern, "pattern");
    if (value != null && label == null) {
      throw new IllegalArgumentException("list: the value of no label");
    }
    if (page < 0) {
      throw new IllegalArgumentException("list: pages of " + page + " objects");
    }
  }

  /**
   * All of these types.
   *
   * @param pattern of type names
   * @return options
   */
  public static ListOptions types(String pattern) {
    return new ListOptions(pattern, 0, null, null, 0);
  }

  /**
   * The same, of one instance only.
   *
   * @param number of the instance
   * @return options
   */
  public ListOptions ofInstance(long number) {
    return new ListOptions(pattern, number, label, value, page);
  }

  /**
   * The same, with a label only.
   *
   * @param key of the label
   * @param wanted its value; null: any
   * @return options
   */
  public ListOptions withLabel(String key, String wanted) {
    return new ListOptions(pattern, instance, key, wanted, page);
  }

  /**
   * The same, fetched so many at a time.
   *
   * @param objects a page; 0: 1,000
   * @return options
   */
  public ListOptions withPage(long objects) {
    return new ListOptions(pattern, instance, label, value, objects);
  }
}
