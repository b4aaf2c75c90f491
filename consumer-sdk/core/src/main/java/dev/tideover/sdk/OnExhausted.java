package dev.tideover.sdk;

/** What becomes of later requests with the ordering key of one that has become a dead letter. */
public enum OnExhausted {
  /** They are handled. The default. */
  CONTINUE,
  /**
   * They become dead letters too, with the reason {@code parked}, in their order: the key is
   * parked, also through restarts. It is free again once the first one's record has been appended
   * to the request topic again and handled; so dead letters of a key that are appended again in
   * their order are handled in it. Needs the service's ledger topic and {@link Ordering#KEY}.
   */
  PARK_KEY
}
