package dev.tideover.sdk.internal.core;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * How many tasks that may call the handler are with the workers. A permit belongs to a task, not to
 * a request: the owner thread takes it for the task, and whoever is first gives it back, the task
 * when it ends or the owner when it has given the task up. So a thread that becomes free needn't
 * wait for the owner, and work that has become stale can't keep a permit.
 */
public final class Permits {

  private static final int NOBODY_WAITS = -1;

  private final AtomicInteger inUse = new AtomicInteger();

  /** At which number of permits in use the owner has something to start. */
  private volatile int wakeAt = NOBODY_WAITS;

  /** Whether what hasn't begun doesn't begin. Written by the owner. */
  private volatile boolean held;

  /** Whether a handler has failed and the owner doesn't know yet. */
  private volatile boolean alarm;

  Permits() {}

  /** The permit of one task. */
  public final class Permit {

    private final AtomicBoolean held = new AtomicBoolean(true);

    private Permit() {}

    /** Whether its task is not to call the handler now, but to give the work back. Any thread. */
    boolean isHeld() {
      return Permits.this.held;
    }

    /**
     * A worker, before it reports a failure: the owner is to hear of it before it starts more.
     * Without this, handlers that fail at once would free permits as fast as the owner takes them,
     * and it would start all that it has before it learnt that none of it can succeed.
     */
    public void raiseAlarm() {
      alarm = true;
    }

    /**
     * Gives it back, if nobody has yet. Any thread.
     *
     * @return whether the owner should be woken for it
     */
    public boolean giveBack() {
      if (held.compareAndSet(true, false)) {
        inUse.decrementAndGet();
      }
      return ownerIsWaitedFor();
    }
  }

  /** Owner: whether tasks that haven't begun come back. */
  void hold(boolean hold) {
    held = hold;
  }

  /** Owner: it has heard of a failure. */
  void endAlarm() {
    alarm = false;
  }

  /** Owner: whether a failure is being reported. */
  boolean isAlarm() {
    return alarm;
  }

  /** Owner: for a task that is begun next. How many there may be is the caller's to know. */
  Permit take() {
    inUse.incrementAndGet();
    return new Permit();
  }

  /** How many are in use. Any thread. */
  public int inUse() {
    return inUse.get();
  }

  /** Owner, before it polls: at which number in use it has something to do; below 0 for never. */
  void wakeAt(int inUse) {
    wakeAt = Math.max(NOBODY_WAITS, inUse);
  }

  /**
   * Whether the owner has something to start now. For the owner to ask after it has said that it
   * polls: a permit that comes back before that wakes nobody.
   */
  public boolean ownerIsWaitedFor() {
    int threshold = wakeAt;
    return threshold != NOBODY_WAITS && inUse.get() <= threshold;
  }
}
