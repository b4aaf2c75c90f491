package dev.tideover.loadtests.drain;

import dev.tideover.loadtests.contender.Job;
import org.jspecify.annotations.Nullable;

/** Which ordering key the n-th request has. */
enum Keys {
  /** None: each request is its own. */
  NONE {
    @Override
    @Nullable String of(int n) {
      return null;
    }
  },

  /** 10,000 in turn. */
  MANY {
    @Override
    String of(int n) {
      return "key-" + n % 10_000;
    }
  },

  /** 1,000, of which one has every second request. */
  ONE_HOT {
    @Override
    String of(int n) {
      return isOrdinary(n) ? "key-" + n / 2 % 999 : "hot";
    }

    @Override
    boolean isOrdinary(int n) {
      return n % 2 == 1;
    }
  },

  /**
   * 1,000, of which one is {@link Job#FAILING_KEY}. It has a quarter of what the others have: once
   * nothing else is left to do, the peer takes most of a second for each attempt.
   */
  ONE_FAILING {
    @Override
    String of(int n) {
      return isOrdinary(n) ? "key-" + n % 999 : Job.FAILING_KEY;
    }

    @Override
    boolean isOrdinary(int n) {
      return n % 4_000 != 0;
    }
  };

  abstract @Nullable String of(int n);

  /** Whether the n-th request is one of those that shall not suffer from the special key. */
  boolean isOrdinary(int n) {
    return true;
  }
}
