package io.vineyard;

import java.time.Duration;
import java.util.Objects;

/**
 * How to connect: {@code ClientOptions.DEFAULT.withSocket("/run/v.sock").withName("loader 3")}.
 *
 * @param socket path of the daemon's socket; null: the default one
 * @param timeout how long the connect, and each later wait without a time-out of its own, may take; null: 30 seconds
 * @param name for people who look at the daemon; null: none
 * @param remote what the value of a payload on another instance is
 * @param share who may read what is put, where the put says nothing
 * @param daemonUid whose daemon is believed beside one's own and root's; 0: as {@code VINEYARD_DAEMON_UID} says, else nobody's
 */
public record ClientOptions(String socket, Duration timeout, String name, RemotePolicy remote, Share share, int daemonUid) {
  /** The default socket, 30 seconds, no name, nothing of payloads elsewhere. */
  public static final ClientOptions DEFAULT = new ClientOptions(null, null, null, RemotePolicy.NONE, Share.DEFAULT, 0);

  /** Checks. */
  public ClientOptions {
    Objects.requireNonNull(remote, "remote");
    Objects.requireNonNull(share, "share");
    if (timeout != null && (timeout.isNegative() || timeout.isZero())) {
      throw new IllegalArgumentException("timeout " + timeout + ": a connect waits for the daemon");
    }
  }

  /**
   * The same, with another socket.
   *
   * @param path of the daemon's socket; null: the default one
   * @return options
   */
  public ClientOptions withSocket(String path) {
    return new ClientOptions(path, timeout, name, remote, share, daemonUid);
  }

  /**
   * The same, with another time-out.
   *
   * @param longest more than nothing; null: 30 seconds
   * @return options
   * @throws IllegalArgumentException nothing, or negative
   */
  public ClientOptions withTimeout(Duration longest) {
    return new ClientOptions(socket, longest, name, remote, share, daemonUid);
  }

  /**
   * The same, with a name.
   *
   * @param text "loader 3"; null: none
   * @return options
   */
  public ClientOptions withName(String text) {
    return new ClientOptions(socket, timeout, text, remote, share, daemonUid);
  }

  /**
   * The same, with another policy.
   *
   * @param policy for {@link Client#getValue} and {@link Client#openValue}
   * @return options
   */
  public ClientOptions withRemote(RemotePolicy policy) {
    return new ClientOptions(socket, timeout, name, policy, share, daemonUid);
  }

  /**
   * The same, where what is put is for others to read.
   *
   * @param who may read it, where the put says nothing
   * @return options
   */
  public ClientOptions withShare(Share who) {
    return new ClientOptions(socket, timeout, name, remote, who, daemonUid);
  }

  /**
   * The same, of a daemon of another user: whoever it is says what lies in memory.
   *
   * @param uid its number, unsigned; 0: as {@code VINEYARD_DAEMON_UID} says, else nobody's
   * @return options
   */
  public ClientOptions withDaemonUid(int uid) {
    return new ClientOptions(socket, timeout, name, remote, share, uid);
  }
}
