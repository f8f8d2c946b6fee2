package io.vineyard;

/** What {@link Client#getValue} makes of a payload that lies on another instance. */
public enum RemotePolicy {
  /** The value is null. */
  NONE,
  /** {@link VineyardException.Remote}. */
  ERROR,
  /** It is brought here. {@link VineyardException.Unavailable} until payloads travel between hosts. */
  FETCH
}
