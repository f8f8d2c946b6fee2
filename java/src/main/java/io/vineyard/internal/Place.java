package io.vineyard.internal;

import java.util.Arrays;

/** Where inside a value its reader or writer is, for errors: {@code $["columns"][3]}. For one thread. */
public final class Place {
  // Instead of the key of a pair; what is none of these is the key.
  private static final Object NOWHERE = new Object(), ELEMENT = new Object(), KEY = new Object();
  private static final int SHOWN = 8;  // steps at either end
  private static final int LONGEST_KEY = 40;

  private Object[] steps = {};
  private int[] indices = {};
  private int depth;

  /** Goes into a container, to none of its elements yet. */
  public void enter() {
    if (depth == steps.length) {
      steps = Arrays.copyOf(steps, 2 * depth + 8);
      indices = Arrays.copyOf(indices, 2 * depth + 8);
    }
    steps[depth++] = NOWHERE;
  }

  /** Goes out of it. */
  public void leave() {
    --depth;
  }

  /** How many containers it is in. */
  public int depth() {
    return depth;
  }

  /** At an element of the container. */
  public void at(int index) {
    steps[depth - 1] = ELEMENT;
    indices[depth - 1] = index;
  }

  /** At the key of a pair. */
  public void atKey(int pair) {
    steps[depth - 1] = KEY;
    indices[depth - 1] = pair;
  }

  /** At the value of a pair. */
  public void atValue(int pair, Object key) {
    steps[depth - 1] = key;
    indices[depth - 1] = pair;
  }

  /** "$[3]: " and the text; only the text at the outermost container. */
  public String say(String text) {
    String place = toString();
    return place.equals("$") ? text : place + ": " + text;
  }

  @Override
  public String toString() {
    int end = depth > 0 && steps[depth - 1] == NOWHERE ? depth - 1 : depth;
    StringBuilder text = new StringBuilder("$");
    for (int i = 0; i < end; ++i) {
      if (i >= SHOWN && i < end - SHOWN) {
        text.append("...");
        i = end - SHOWN;
      }
      text.append('[').append(step(i)).append(']');
    }
    return text.toString();
  }

  private String step(int i) {
    Object step = steps[i];
    if (step == ELEMENT) {
      return Integer.toString(indices[i]);
    }
    if (step == KEY) {
      return "key " + indices[i];
    }
    if (step instanceof String key) {
      return '"' + (key.length() <= LONGEST_KEY ? key : key.substring(0, LONGEST_KEY) + "...") + '"';
    }
    return step instanceof Long || step instanceof Boolean || step instanceof Double ? step.toString() : "value " + indices[i];
  }
}
