package dev.tideover.demo;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * What the service of {@code load-tests/drill} does with a request, whoever brings it: a body
 * {@code KEY SEQ RUN} gets 201 and {@code KEY SEQ RUN VERSION/INSTANCE}, after a line in the
 * ledger, which is its effect. A bad version breaks in one of the ways of {@link Bad}, always ahead
 * of the effect.
 *
 * <p>Safe for any thread.
 */
final class DrillHandler {

  /** How a version is bad. */
  enum Bad {
    NOT,
    /** One request in ten gets 500, and gets it each time. */
    ERRORS,
    /** Every request but the first few never ends, unless its thread is interrupted. */
    HANG,
    /** The process is gone in the middle of a request after the first few. */
    CRASH
  }

  /** An answer. */
  record Answer(int status, String body) {}

  /** So many requests go well before a version hangs or crashes. */
  private static final long GOOD = 40;

  private static final int ONE_IN = 10;
  private static final int CRASHED = 137;

  private final String by;
  private final Bad bad;
  private final long workNanos;
  private final Ledger ledger;
  private final AtomicLong requests = new AtomicLong();

  /**
   * Makes one.
   *
   * @param by {@code VERSION/INSTANCE}
   * @param ledger which may be other processes' as well: one file, so that its lines are in the
   *     order of all effects
   */
  DrillHandler(String by, Bad bad, long workMillis, Ledger ledger) {
    this.by = by;
    this.bad = bad;
    this.workNanos = TimeUnit.MILLISECONDS.toNanos(workMillis);
    this.ledger = ledger;
  }

  /**
   * Handles a request.
   *
   * @param id the gateway's id of it, partition and offset where it came from, or what stands for
   *     them where there is no gateway
   */
  Answer handle(String body, String id, int partition, long offset)
      throws IOException, InterruptedException {
    String[] words = body.split(" ", -1);
    if (words.length != 3 || !words[1].matches("[0-9]{1,9}")) {
      return new Answer(400, "The body has to be KEY SEQ RUN.\n");
    }
    work();
    breakIfBad();
    if (bad == Bad.ERRORS && Math.floorMod(body.hashCode(), ONE_IN) == 0) {
      return new Answer(500, "This version is broken: " + by + "\n");
    }
    int seq = Integer.parseInt(words[1]);
    ledger.append(
        new LedgerEntry(
            words[0], seq, words[2], id, partition, offset, by, System.currentTimeMillis()));
    return new Answer(201, body + " " + by);
  }

  private void breakIfBad() throws InterruptedException {
    if (bad == Bad.NOT || bad == Bad.ERRORS || requests.incrementAndGet() <= GOOD) {
      return;
    }
    if (bad == Bad.CRASH) {
      Runtime.getRuntime().halt(CRASHED);
    }
    new CountDownLatch(1).await();
  }

  /** Takes as long as a call to a database would, and no CPU. */
  private void work() {
    long end = System.nanoTime() + workNanos;
    for (long left = workNanos; left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(this, left);
    }
  }
}
