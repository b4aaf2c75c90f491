package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.sdk.internal.core.Breaker.State;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import org.junit.jupiter.api.Test;

class BreakerTest {

  private static final long SECOND = 1_000_000_000;

  private final Breaker breaker = new Breaker();

  @Test
  void opensAfterFiveFaultsInARow() {
    for (int i = 0; i < 4; i++) {
      fault(0);
    }
    breaker.success(breaker.started(0));
    for (int i = 0; i < 4; i++) {
      fault(0);
    }
    assertThat(breaker.state()).isEqualTo(State.CLOSED);
    fault(0);
    assertThat(breaker.state()).isEqualTo(State.OPEN);
    assertThat(breaker.mayStart(0)).isFalse();
  }

  @Test
  void opensWhenHalfOfTheLastTwentyWereFaults() {
    for (int i = 0; i < 9; i++) {
      breaker.success(breaker.started(0));
      fault(0);
    }
    breaker.success(breaker.started(0));
    assertThat(breaker.state()).isEqualTo(State.CLOSED);
    fault(0);
    assertThat(breaker.state()).isEqualTo(State.OPEN);
  }

  @Test
  void opensAtOnceWhenAHandlerSaysHold() {
    breaker.fault(breaker.started(0), true, 0);
    assertThat(breaker.state()).isEqualTo(State.OPEN);
  }

  @Test
  void probesAfterOneSecondThenTwoThenFourThenEachFive() {
    breaker.fault(breaker.started(0), true, 0);
    long now = 0;
    for (long pause : new long[] {1, 2, 4, 5, 5}) {
      assertThat(breaker.untilProbe(now)).isEqualTo(pause * SECOND);
      now += pause * SECOND;
      assertThat(breaker.mayStart(now - 1)).isFalse();
      fault(now);
    }
  }

  @Test
  void oneProbeIsOutAtATimeAndItsSuccessCloses() {
    breaker.fault(breaker.started(0), true, 0);
    int probe = breaker.started(SECOND);
    assertThat(breaker.state()).isEqualTo(State.PROBING);
    assertThat(breaker.mayStart(100 * SECOND)).isFalse();
    assertThatThrownBy(() -> breaker.started(100 * SECOND))
        .isInstanceOf(IllegalStateException.class);
    breaker.success(probe);
    assertThat(breaker.state()).isEqualTo(State.CLOSED);

    breaker.fault(breaker.started(2 * SECOND), true, 2 * SECOND);
    assertThat(breaker.untilProbe(2 * SECOND)).isEqualTo(SECOND);
  }

  @Test
  void anotherProbeMayStartWhenOneIsLost() {
    breaker.fault(breaker.started(0), true, 0);
    int lost = breaker.started(SECOND);
    breaker.lost(lost, SECOND);
    assertThat(breaker.mayStart(SECOND)).isTrue();
    int second = breaker.started(SECOND);
    breaker.success(lost);
    assertThat(breaker.state()).isEqualTo(State.PROBING);
    breaker.success(second);
    assertThat(breaker.state()).isEqualTo(State.CLOSED);
  }

  @Test
  void whatWasUnderWayWhenItOpenedIsNoProbe() {
    int early = breaker.started(0);
    int late = breaker.started(0);
    breaker.fault(breaker.started(0), true, 0);
    breaker.success(early);
    assertThat(breaker.state()).isEqualTo(State.OPEN);
    breaker.started(SECOND);
    breaker.fault(late, true, SECOND);
    assertThat(breaker.state()).isEqualTo(State.PROBING);
  }

  private void fault(long now) {
    breaker.fault(breaker.started(now), false, now);
  }

  /** What happens: to which of the requests that are out, and after how long. */
  record Step(Kind kind, int which, long after) {
    enum Kind {
      START,
      SUCCESS,
      FAULT,
      HOLD,
      LOST
    }
  }

  @Provide
  Arbitrary<List<Step>> schedules() {
    Arbitrary<Step.Kind> kinds =
        Arbitraries.frequency(
            Tuple.of(10, Step.Kind.START),
            Tuple.of(4, Step.Kind.SUCCESS),
            Tuple.of(5, Step.Kind.FAULT),
            Tuple.of(1, Step.Kind.HOLD),
            Tuple.of(1, Step.Kind.LOST));
    Arbitrary<Long> times = Arbitraries.of(0L, 0L, SECOND / 4, SECOND, 3 * SECOND);
    return Combinators.combine(kinds, Arbitraries.integers().between(0, 63), times)
        .as(Step::new)
        .list()
        .ofMaxSize(200);
  }

  /** The same told by lists: of what is out, of the ends that count, of the probes that failed. */
  @Property
  void behavesAsTold(@ForAll("schedules") List<Step> schedule) {
    Breaker real = new Breaker();
    List<int[]> out = new ArrayList<>(); // ticket, era
    List<Boolean> faults = new ArrayList<>();
    int era = 0; // a new one with each change of state
    State state = State.CLOSED;
    int failedProbes = 0;
    long probeAt = 0;
    long now = Long.MAX_VALUE - 10 * SECOND; // may overflow
    for (Step step : schedule) {
      now += step.after;
      boolean mayStart = state == State.CLOSED || state == State.OPEN && now - probeAt >= 0;
      assertThat(real.mayStart(now)).isEqualTo(mayStart);
      if (step.kind == Step.Kind.START) {
        if (mayStart) {
          if (state == State.OPEN) {
            state = State.PROBING;
            era++;
          }
          out.add(new int[] {real.started(now), era});
        }
      } else if (!out.isEmpty()) {
        int[] ended = out.remove(step.which % out.size());
        boolean counts = ended[1] == era;
        boolean fault = step.kind == Step.Kind.FAULT || step.kind == Step.Kind.HOLD;
        switch (step.kind) {
          case SUCCESS -> real.success(ended[0]);
          case LOST -> real.lost(ended[0], now);
          default -> real.fault(ended[0], step.kind == Step.Kind.HOLD, now);
        }
        if (counts && state == State.PROBING) {
          era++;
          state = step.kind == Step.Kind.SUCCESS ? State.CLOSED : State.OPEN;
          failedProbes = fault ? failedProbes + 1 : state == State.CLOSED ? 0 : failedProbes;
          probeAt = now + (fault ? Math.min(5, 1L << Math.min(failedProbes, 10)) * SECOND : 0);
          faults.clear();
        } else if (counts && step.kind != Step.Kind.LOST) {
          faults.add(fault);
          if (fault
              && (step.kind == Step.Kind.HOLD || allOfLast(faults, 5) || halfOfLast(faults, 20))) {
            era++;
            state = State.OPEN;
            failedProbes = 0;
            probeAt = now + SECOND;
          }
        }
      }
      assertThat(real.state()).isEqualTo(state);
      assertThat(real.untilProbe(now))
          .isEqualTo(state == State.OPEN ? Math.max(0, probeAt - now) : Long.MAX_VALUE);
    }
  }

  private static boolean allOfLast(List<Boolean> faults, int count) {
    return faults.size() >= count
        && !faults.subList(faults.size() - count, faults.size()).contains(false);
  }

  private static boolean halfOfLast(List<Boolean> faults, int count) {
    return faults.size() >= count
        && faults.subList(faults.size() - count, faults.size()).stream().filter(f -> f).count()
            >= count / 2;
  }
}
