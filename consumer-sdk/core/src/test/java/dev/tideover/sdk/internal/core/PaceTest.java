package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.netflix.concurrency.limits.Limit;
import com.netflix.concurrency.limits.limit.AIMDLimit;
import com.netflix.concurrency.limits.limit.Gradient2Limit;
import com.netflix.concurrency.limits.limit.VegasLimit;
import com.netflix.concurrency.limits.limit.WindowedLimit;
import dev.tideover.sdk.internal.core.ModelServer.Limiter;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PaceTest {

  private static final int MAX = 64;
  private static final double MS = 1e6;
  private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
  private static final int SEEDS = 5;

  /** A kind of handler, and what has to become of the limit with it. */
  enum Case {
    /** 500 a second is the most, from ten at once on. */
    TEN_CONNECTIONS(
        seed -> ModelServer.withConnections(10, (now, n, random) -> 20 * MS * exp(random), seed)) {
      @Override
      boolean holds(ModelServer server, Limiter limiter) {
        return settlesNear(server, limiter, 10, 500);
      }
    },
    /** 150 a second is the most, with fewer than slow start begins with. */
    THREE_CONNECTIONS(
        seed -> ModelServer.withConnections(3, (now, n, random) -> 20 * MS * exp(random), seed)) {
      @Override
      boolean holds(ModelServer server, Limiter limiter) {
        return settlesNear(server, limiter, 3, 150);
      }
    },
    /** Gets less done with more at once: 250 a second with ten, 77 with 64. */
    COLLAPSING(
        seed ->
            ModelServer.of(
                (now, n, random) -> 20 * MS * varied(random) * (1 + n * n / 100.0), seed)) {
      @Override
      boolean holds(ModelServer server, Limiter limiter) {
        return settlesNear(server, limiter, 10, 250);
      }
    },
    CONSTANT(seed -> ModelServer.of((now, n, random) -> 5 * MS, seed)) {
      @Override
      boolean holds(ModelServer server, Limiter limiter) {
        return reachesMaxAndStays(server, limiter);
      }
    },
    /** Times that differ a lot between requests, and not by the load. */
    VARIED(seed -> ModelServer.of((now, n, random) -> 5 * MS * exp(random), seed)) {
      @Override
      boolean holds(ModelServer server, Limiter limiter) {
        return reachesMaxAndStays(server, limiter);
      }
    },
    /** Does nothing, on a JVM that stands still for 50 ms each second. */
    NO_OP(
        seed ->
            ModelServer.withPauses(
                (now, n, random) -> 20_000 * exp(random), 10_000, SECOND, (long) (50 * MS), seed)) {
      @Override
      boolean holds(ModelServer server, Limiter limiter) {
        server.run(limiter, 5);
        server.run(limiter, 15);
        return server.lowest >= 0.8 * MAX;
      }
    },
    /** From the second half minute on it takes three times as long, whatever the load. */
    SLOWER_FOR_GOOD(
        seed ->
            ModelServer.of(
                (now, n, random) -> 20 * MS * varied(random) * (now > 30 * SECOND ? 3 : 1), seed)) {
      @Override
      boolean holds(ModelServer server, Limiter limiter) {
        server.run(limiter, 60);
        server.run(limiter, 30);
        return server.finished >= 0.9 * 30 * MAX * 1_000 / 60;
      }
    };

    private final LongFunction<ModelServer> server;

    Case(LongFunction<ModelServer> server) {
      this.server = server;
    }

    abstract boolean holds(ModelServer server, Limiter limiter);

    boolean holds(Supplier<Limiter> limiter) {
      for (long seed = 1; seed <= SEEDS; seed++) {
        if (!holds(server.apply(seed), limiter.get())) {
          return false;
        }
      }
      return true;
    }

    private static boolean settlesNear(
        ModelServer server, Limiter limiter, int knee, double mostPerSecond) {
      server.run(limiter, 60);
      server.run(limiter, 60);
      return server.finished >= 0.9 * 60 * mostPerSecond && server.meanLimit() <= 2 * knee;
    }

    private static boolean reachesMaxAndStays(ModelServer server, Limiter limiter) {
      server.run(limiter, 4);
      server.run(limiter, 56);
      return server.lowest == MAX;
    }
  }

  @ParameterizedTest
  @EnumSource
  void copesWith(Case handler) {
    assertThat(handler.holds(() -> limiter(new Pace(MAX, 0)))).isTrue();
  }

  /** The reason for writing one: if this fails after an update of the library, look at it again. */
  @Test
  void noLimitOfTheLibraryCopesWithAll() {
    Map<String, Supplier<Limit>> limits =
        Map.of(
            "gradient2", PaceTest::gradient2,
            "gradient2 of windows", () -> windows(gradient2()),
            "vegas", PaceTest::vegas,
            "vegas of windows", () -> windows(vegas()),
            "aimd", PaceTest::aimd);
    limits.forEach(
        (name, limit) ->
            assertThat(Case.values())
                .as(name)
                .anyMatch(handler -> !handler.holds(() -> limiter(limit.get()))));
  }

  @Test
  void slowStartGoesFromATenthToTheMaximumInTwoSeconds() {
    Pace pace = new Pace(MAX, 0);
    assertThat(pace.limit()).isEqualTo(6);
    int[] expected = {12, 24, 48, 64};
    for (int step = 0; step < expected.length; step++) {
      finish(pace, step * 500, step * 500 + 500, 5, pace.limit());
      assertThat(pace.limit()).isEqualTo(expected[step]);
    }
  }

  @Test
  void slowStartOfHandlersThatTakeNextToNothingIsOverSoon() {
    Pace pace = new Pace(MAX, 0);
    for (int millis = 0; millis <= 200; millis++) {
      pace.sample((long) (millis * MS), 10_000, 6, false);
      pace.sample((long) (millis * MS), 10_000, 6, false);
    }
    assertThat(pace.limit()).isEqualTo(MAX);
  }

  @Test
  void slowStartWaitsForAsManyAsMayRun() {
    Pace pace = new Pace(MAX, 0);
    for (int i = 0; i < 5; i++) {
      pace.sample(10 * SECOND, (long) (5 * MS), 5, false);
    }
    pace.tick(11 * SECOND);
    assertThat(pace.limit()).isEqualTo(6);
    pace.sample(12 * SECOND, (long) (5 * MS), 6, false);
    assertThat(pace.limit()).isEqualTo(12);
  }

  @Test
  void slowStartGoesAStepBackWhenHandlersTakeMoreThanTwiceTheirBest() {
    Pace pace = new Pace(MAX, 0);
    finish(pace, 0, 500, 5, 6);
    finish(pace, 500, 1_000, 5, 12);
    assertThat(pace.limit()).isEqualTo(24);
    finish(pace, 1_000, 1_500, 11, 24);
    assertThat(pace.limit()).isEqualTo(12);
  }

  @Test
  void slowStartDoesNotBeginWhileMostFail() {
    Pace pace = new Pace(MAX, 0);
    for (int millis = 0; millis < 5_000; millis += 10) {
      pace.sample((long) (millis * MS), 1_000, 6, millis % 30 != 0);
    }
    assertThat(pace.limit()).isEqualTo(6);
  }

  @Test
  void beginsAnewWhenMostFail() {
    Pace pace = atMax();
    for (int millis = 2_500; millis < 4_500; millis++) {
      pace.sample((long) (millis * MS), 1_000, MAX, true);
    }
    assertThat(pace.limit()).isEqualTo(6);
  }

  @Test
  void beginsAnewWhenTold() {
    Pace pace = atMax();
    pace.restart(3 * SECOND);
    assertThat(pace.limit()).isEqualTo(6);
    finish(pace, 3_000, 3_500, 5, 6);
    assertThat(pace.limit()).isEqualTo(12);
  }

  @Test
  void learnsNothingFromALoadThatDoesNotUseTheLimit() {
    Pace pace = atMax();
    finish(pace, 2_500, 20_000, 50, 3);
    assertThat(pace.limit()).isEqualTo(MAX);
  }

  @Test
  void givesUpATrialThatNothingComesOf() {
    Pace pace = atMax();
    int millis = 2_500;
    for (; pace.limit() == MAX; millis += 250) {
      assertThat(millis).isLessThan(60_000);
      finish(pace, millis, millis + 250, 50, MAX);
    }
    assertThat(pace.limit()).isLessThan(MAX);
    pace.tick((long) (millis * MS) + 61 * SECOND);
    assertThat(pace.limit()).isEqualTo(MAX);
  }

  @Test
  void oneIsTheLeast() {
    Pace pace = new Pace(1, 0);
    finish(pace, 0, 60_000, 5, 1);
    assertThat(pace.limit()).isEqualTo(1);
    assertThatThrownBy(() -> new Pace(0, 0)).isInstanceOf(IllegalArgumentException.class);
  }

  private static Pace atMax() {
    Pace pace = new Pace(MAX, 0);
    for (int step = 0; step < 5; step++) {
      finish(pace, step * 500, step * 500 + 500, 5, pace.limit());
    }
    assertThat(pace.limit()).isEqualTo(MAX);
    return pace;
  }

  /** One a millisecond, from one time to another inclusive. */
  private static void finish(Pace pace, int from, int to, int tookMillis, int running) {
    for (int millis = from + 1; millis <= to; millis++) {
      pace.sample((long) (millis * MS), (long) (tookMillis * MS), running, false);
    }
  }

  private static double exp(Random random) {
    return -Math.log(1 - random.nextDouble());
  }

  /** Log-normal, mean 1. */
  private static double varied(Random random) {
    return Math.exp(0.5 * random.nextGaussian() - 0.125);
  }

  private static Limit gradient2() {
    return Gradient2Limit.newBuilder().initialLimit(6).minLimit(1).maxConcurrency(MAX).build();
  }

  private static Limit vegas() {
    return VegasLimit.newBuilder().initialLimit(6).maxConcurrency(MAX).build();
  }

  private static Limit aimd() {
    return AIMDLimit.newBuilder().initialLimit(6).minLimit(1).maxLimit(MAX).build();
  }

  private static Limit windows(Limit limit) {
    return WindowedLimit.newBuilder()
        .minWindowTime(100, TimeUnit.MILLISECONDS)
        .maxWindowTime(1, TimeUnit.SECONDS)
        .minRttThreshold(0, TimeUnit.NANOSECONDS)
        .build(limit);
  }

  private static Limiter limiter(Pace pace) {
    return new Limiter() {
      @Override
      public int limit() {
        return pace.limit();
      }

      @Override
      public void sample(long now, long nanos, int running, boolean failed) {
        pace.sample(now, nanos, running, failed);
      }

      @Override
      public void tick(long now) {
        pace.tick(now);
      }
    };
  }

  private static Limiter limiter(Limit limit) {
    return new Limiter() {
      @Override
      public int limit() {
        return limit.getLimit();
      }

      @Override
      public void sample(long now, long nanos, int running, boolean failed) {
        limit.onSample(now - nanos, nanos, running, failed);
      }

      @Override
      public void tick(long now) {}
    };
  }
}
