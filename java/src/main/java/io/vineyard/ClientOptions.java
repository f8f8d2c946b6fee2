package io.vineyard;

import java.time.Duration;
import java.util.Objects;

/** How to connect. Immutable; {@link #builder()} makes one. */
public final class ClientOptions {
  /** The default socket, 30 seconds, no name, nothing of payloads elsewhere. */
  public static final ClientOptions DEFAULT = builder().build();

  final String socket;
  final Duration timeout;
  final String name;
  final RemotePolicy remote;

  private ClientOptions(Builder builder) {
    socket = builder.socket;
    timeout = builder.timeout;
    name = builder.name;
    remote = builder.remote;
  }

  /**
   * Begins with the defaults.
   *
   * @return a builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /** Collects options; not thread-safe. */
  public static final class Builder {
    private String socket;
    private Duration timeout;
    private String name;
    private RemotePolicy remote = RemotePolicy.NONE;

    private Builder() {}

    /**
     * Where the daemon listens.
     *
     * @param path of its socket
     * @return this
     */
    public Builder socket(String path) {
      socket = Objects.requireNonNull(path, "socket");
      return this;
    }

    /**
     * How long the connect, and each later wait without a time-out of its own, may take.
     *
     * @param longest more than nothing
     * @return this
     * @throws IllegalArgumentException nothing, or negative
     */
    public Builder timeout(Duration longest) {
      if (Objects.requireNonNull(longest, "timeout").isNegative() || longest.isZero()) {
        throw new IllegalArgumentException("timeout " + longest + ": a connect waits for the daemon");
      }
      timeout = longest;
      return this;
    }

    /**
     * For people who look at the daemon.
     *
     * @param text "loader 3"
     * @return this
     */
    public Builder name(String text) {
      name = Objects.requireNonNull(text, "name");
      return this;
    }

    /**
     * What the value of a payload on another instance is.
     *
     * @param policy for {@link Client#getValue}
     * @return this
     */
    public Builder remote(RemotePolicy policy) {
      remote = Objects.requireNonNull(policy, "remote");
      return this;
    }

    /**
     * The options.
     *
     * @return what was collected
     */
    public ClientOptions build() {
      return new ClientOptions(this);
    }
  }
}
