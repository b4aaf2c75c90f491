package dev.tideover.sdk.internal.core;

import java.util.concurrent.TimeUnit;

/**
 * Whether requests may start, or what the service needs for them is away: its database, say. Owned
 * by one thread; time is in nanoseconds of any origin.
 *
 * <pre>
 *            5 infrastructure faults in a row, or
 *            10 of the last 20, or a hold
 *   CLOSED --------------------------------------> OPEN &lt;-----------------+
 *     ^                                             |  after 1 s,         | fault: 2 s, 4 s, 5 s
 *     |                                             v  one may start      | lost: at once
 *     +------------------------------------------ PROBING ----------------+
 *                     any other end
 * </pre>
 *
 * <p>Each start gets a ticket, and each ticket comes back once: by {@link #success}, {@link #fault}
 * or {@link #lost}. A ticket from before the last change of state changes nothing: requests that
 * were under way when it opened are no probes, and what they end with is no news.
 */
public final class Breaker {

  /** Whether requests may start. */
  public enum State {
    /** As many as there are. */
    CLOSED,
    /** None, until it is time for a probe. */
    OPEN,
    /** None: one is under way, and what it ends with decides. */
    PROBING
  }

  private static final int FAULTS_IN_A_ROW = 5;

  /** How many ends are looked back at. Fits into the bits of {@link #ends}. */
  private static final int LOOK_BACK = 20;

  private static final int FAULTS_OF_THOSE = 10;
  private static final long FIRST_PROBE = TimeUnit.SECONDS.toNanos(1);
  private static final long LONGEST_PROBE = TimeUnit.SECONDS.toNanos(5);

  private State state = State.CLOSED;
  private int ticket;

  /** The last ends since it closed, one a bit, the latest lowest; 1 is a fault. */
  private int ends;

  private int known;

  private long pause = FIRST_PROBE;
  private long probeAt;

  /** Where it stands. */
  public State state() {
    return state;
  }

  /** Whether a request may start now. */
  public boolean mayStart(long now) {
    return state == State.CLOSED || state == State.OPEN && now - probeAt >= 0;
  }

  /** Whether this is the ticket of the probe that is under way. */
  boolean isProbe(int of) {
    return state == State.PROBING && of == ticket;
  }

  /** How long until a probe may start; {@code Long.MAX_VALUE} unless {@link State#OPEN}. */
  public long untilProbe(long now) {
    return state == State.OPEN ? Math.max(0, probeAt - now) : Long.MAX_VALUE;
  }

  /**
   * A request starts, as it may.
   *
   * @return its ticket
   * @throws IllegalStateException if none may start
   */
  public int started(long now) {
    if (!mayStart(now)) {
      throw new IllegalStateException("defect: started while " + state);
    }
    if (state == State.OPEN) {
      enter(State.PROBING);
    }
    return ticket;
  }

  /** It ended, in whatever way that is no fault of the infrastructure's. */
  public void success(int of) {
    if (of != ticket) {
      return;
    }
    if (state == State.PROBING) {
      pause = FIRST_PROBE;
      ends = 0;
      known = 0;
      enter(State.CLOSED);
    } else {
      remember(0);
    }
  }

  /**
   * It ended by a fault of the infrastructure's.
   *
   * @param hold whether the handler said itself that the service can't work now
   */
  public void fault(int of, boolean hold, long now) {
    if (of != ticket) {
      return;
    }
    if (state == State.PROBING) {
      pause = Math.min(LONGEST_PROBE, 2 * pause);
      open(now + pause);
      return;
    }
    remember(1);
    int row = (1 << FAULTS_IN_A_ROW) - 1;
    boolean often = known == LOOK_BACK && Integer.bitCount(ends) >= FAULTS_OF_THOSE;
    if (hold || often || (ends & row) == row) {
      open(now + pause);
    }
  }

  /** It was given back and won't end here. If it was the probe, another one may start at once. */
  public void lost(int of, long now) {
    if (of == ticket && state == State.PROBING) {
      open(now);
    }
  }

  private void remember(int end) {
    ends = (ends << 1 | end) & (1 << LOOK_BACK) - 1;
    known = Math.min(LOOK_BACK, known + 1);
  }

  private void open(long probe) {
    probeAt = probe;
    enter(State.OPEN);
  }

  private void enter(State next) {
    state = next;
    ticket++;
  }

  @Override
  public String toString() {
    return state + ", " + Integer.bitCount(ends) + " faults in the last " + known;
  }
}
