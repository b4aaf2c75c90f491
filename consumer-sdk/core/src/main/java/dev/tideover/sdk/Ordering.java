package dev.tideover.sdk;

/** Which requests are handled one at a time, in the order of their acceptance. */
public enum Ordering {
  /** Those with the same ordering key; all others run beside each other. The default. */
  KEY,
  /** Those of one partition, so all requests with keys that share it. */
  PARTITION,
  /** None: each may overtake each, whatever its route says. */
  NONE
}
