package dev.tideover.sdk.internal.core;

import java.util.function.LongSupplier;

/**
 * What the core was told by its user.
 *
 * @param incarnation of this instance; see {@link Adoption}
 * @param attempts how many failures make a dead letter
 * @param pauses how long to wait after a failed attempt
 * @param parkKeys whether a dead letter's ordering key is parked
 * @param concurrency how many handlers run at once, at most
 * @param surplus how many more tasks may stand at the workers' door when all run, so that a thread
 *     that becomes free goes on without the owner
 * @param handlerTimeout after which a handler is interrupted; nanoseconds
 * @param ledger whether there is a ledger to record in
 * @param mostFinished how many ids of finished requests are remembered
 * @param epochMillis the time of day, which all instances share about; the owner thread asks it
 */
public record Policy(
    String incarnation,
    int attempts,
    Pauses pauses,
    boolean parkKeys,
    int concurrency,
    int surplus,
    long handlerTimeout,
    boolean ledger,
    long mostFinished,
    LongSupplier epochMillis) {

  /** How long to wait after a failed attempt. */
  @FunctionalInterface
  public interface Pauses {
    /**
     * The pause, in nanoseconds.
     *
     * @param failures how many attempts have failed, from 1
     */
    long after(int failures);
  }
}
