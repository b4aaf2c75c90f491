package dev.tideover.sdk.internal.core;

import org.jspecify.annotations.Nullable;

/** A record of a model log, how its handler behaves, and all that an omniscient observer knows. */
final class SimRequest {

  /** How the handler behaves. */
  enum Kind {
    OK,
    /** Throws the first times. */
    FAILS,
    /** Throws always. */
    FAILS_ALWAYS,
    REJECTED,
    /** The database is away the first times. */
    INFRASTRUCTURE,
    HOLD,
    /** Doesn't end the first times, until it is interrupted. */
    HANGS,
    /** The same, and the interrupt doesn't help for a while. */
    STUBBORN,
    /** Ends its instance, always. */
    POISON,
    /** A record that can't be read. */
    MALFORMED,
    /** Its deadline has passed. */
    EXPIRED
  }

  final int number;
  final int partition;
  final long offset;

  /** Null for none. */
  final @Nullable String key;

  /** Its place in the log. */
  final int index;

  /** The request that was appended again; itself, if it is the first record of its request. */
  final SimRequest original;

  Kind kind;

  /** How often it behaves as its kind says. */
  int times;

  /** How often its reply's partition isn't found yet. */
  int lookups;

  /** Whether it has an idempotency key. */
  boolean keyed;

  /** What it asks for; requests with the same id may differ in that. */
  int fingerprint;

  /** Which reply partition its reply goes to. */
  int place;

  // ---- What has happened.

  /** The broker has the reply, or has the dead letter if nobody can get a reply. */
  boolean terminal;

  /** The broker has a reply that a handler of the owner's made. */
  boolean completed;

  /** Its client wants it not to begin. */
  boolean unwanted;

  /** Instead, somebody wants another one at its offset not to begin. */
  boolean mistaken;

  /** The broker has a reply of the owner's that it is cancelled. */
  boolean cancelled;

  /** When its first reply was written, if that wasn't one of a {@link #repeated} one. */
  long finishedAt = Long.MIN_VALUE;

  /** What it was told when its id was known already; null if it wasn't. */
  SimDelivery.@Nullable Answer repeated;

  @Nullable String deadReason;

  /** How often the handler has failed by its own fault. */
  int failures;

  /** How often it has ended an instance that owned its partition. */
  int crashes;

  /** How often an instance has ended, as far as anybody can tell, while this ran alone in it. */
  int endsAlone;

  /** Whose start of it stands in the ledger as ALONE. */
  @Nullable SimInstance alone;

  @Nullable Work<SimDelivery> aloneWork;

  /** Whether it has failed in good order since. */
  boolean aloneIsBack;

  /** Who has heard that it has ended, and under which assignment. */
  @Nullable SimInstance endedBy;

  @Nullable Assignment<?> endedIn;

  SimRequest(
      int number,
      int partition,
      long offset,
      @Nullable String key,
      int index,
      @Nullable SimRequest original,
      Kind kind,
      int times) {
    this.number = number;
    this.partition = partition;
    this.offset = offset;
    this.key = key;
    this.index = index;
    this.original = original == null ? this : original;
    this.kind = kind;
    this.times = times;
  }

  /** Null for a record that can't be read. */
  @Nullable String id() {
    return kind == Kind.MALFORMED ? null : "r" + original.number;
  }

  /** Whether its handler's reply has a status of 500 and up. */
  boolean answersWithAnError() {
    return number % 3 == 0;
  }

  /** Whether it, or another one with its id, may have been handled before: then a wish is vain. */
  boolean hasBegunBefore() {
    return keyed && (original != this || finishedAt != Long.MIN_VALUE);
  }

  /** Null without an idempotency key. */
  @Nullable Identity identity() {
    long number = original.number;
    return keyed ? new Identity(number, number << 32, 1L + fingerprint << 32, place) : null;
  }

  @Override
  public String toString() {
    return "r"
        + original.number
        + (original == this ? "" : "'")
        + "("
        + partition
        + "/"
        + offset
        + (key == null ? "" : " " + key)
        + (keyed ? " keyed" + (fingerprint == 0 ? "" : ", other") : "")
        + " "
        + kind
        + ")";
  }
}
