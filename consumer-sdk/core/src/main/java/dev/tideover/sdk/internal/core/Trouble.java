package dev.tideover.sdk.internal.core;

import org.jspecify.annotations.Nullable;

/**
 * What is out of the ordinary about a request: it has failed, or may have been under way in a
 * crash. Most requests never get one. Written by the owner thread only.
 */
final class Trouble {

  /** Whether it may be the request that brings instances down. */
  enum Suspicion {
    /** No. */
    NONE,
    /** It may have run in an instance that has crashed: its start is recorded. */
    SHARED,
    /** Its recorded start ended in a crash: it runs alone, and that start is recorded. */
    ALONE
  }

  /** What comes after an entry has been recorded. */
  enum After {
    /** The handler. */
    HANDLE,
    /** The pause before the next attempt. */
    WAIT,
    /** The dead-letter topic, with its key parked from now on. */
    PARK,
    /** Its end, with its key free again. */
    FREE,
    /** The reply that it is cancelled. */
    CANCEL
  }

  /** How often an instance has crashed while this request ran alone in it. */
  int crashes;

  Suspicion suspicion = Suspicion.NONE;

  /** Whether its start has been recorded under this assignment. */
  boolean recorded;

  /** Whether the ledger has an entry about it, which is to be forgotten in the end. */
  boolean inLedger;

  /** What has to be recorded, with step RECORD. */
  @Nullable LedgerEntry entry;

  After after = After.HANDLE;

  /** With {@link After#WAIT}, until when; nanoseconds. */
  long due;

  /** How often in a row it met an infrastructure that is out of order. */
  int infrastructureFaults;

  /** How often it has failed on trial; see {@link Trial}. */
  int failuresOnTrial;

  /** When its handler was interrupted; nanoseconds, 0 for not yet. */
  long interruptedAt;

  /** Whether it ends in the dead-letter topic. */
  boolean dead;
}
