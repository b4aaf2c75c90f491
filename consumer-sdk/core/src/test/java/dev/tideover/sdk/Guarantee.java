package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.History.Answer;
import dev.tideover.sdk.History.Run;
import dev.tideover.wire.RequestId;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Something that is promised, and that a {@link History} keeps or breaks. */
@FunctionalInterface
interface Guarantee {

  /** Fails with what was broken, where, and by whom. */
  void judge(History history);

  /** What holds whatever happens. */
  static void always(History history) {
    new NothingLost().judge(history);
    new PerKeyOrder().judge(history);
    new OneAtATimePerKey().judge(history);
  }

  /** Every request was handled to its end and has the handler's reply. */
  record NothingLost() implements Guarantee {

    @Override
    public void judge(History history) {
      Map<RequestId, Answer> answers = new HashMap<>();
      history.answers().forEach(answer -> answers.putIfAbsent(answer.id(), answer));
      Set<String> handled = new HashSet<>();
      history.runs().stream()
          .filter(Run::returned)
          .forEach(run -> handled.add(run.key() + "/" + run.number()));
      assertThat(history.sent()).isNotEmpty();
      assertThat(history.sent())
          .as("requests without a reply of the handler's")
          .allSatisfy(
              request -> {
                assertThat(handled).contains(request.key() + "/" + request.number());
                assertThat(answers).containsKey(request.id());
                Answer answer = answers.get(request.id());
                assertThat(answer.completed()).isTrue();
                assertThat(answer.body()).isEqualTo("" + request.number());
              });
    }
  }

  /** Nothing was handled, or answered, more than once. */
  record NothingTwice() implements Guarantee {

    @Override
    public void judge(History history) {
      Set<String> handled = new HashSet<>();
      assertThat(
              history.runs().stream().filter(run -> !handled.add(run.key() + "/" + run.number())))
          .as("requests that were handled again")
          .isEmpty();
      Set<RequestId> answered = new HashSet<>();
      assertThat(history.answers().stream().filter(answer -> !answered.add(answer.id())))
          .as("requests that were answered again")
          .isEmpty();
    }
  }

  /**
   * A request starts for the first time only when its predecessor by key was handled to its end;
   * and the order goes back to an earlier request, which is then repeated, only after something
   * broke.
   */
  record PerKeyOrder() implements Guarantee {

    @Override
    public void judge(History history) {
      history.runsByKey().forEach((key, runs) -> judge(runs, history.breaks()));
    }

    private static void judge(List<Run> runs, List<Long> breaks) {
      Map<Integer, Long> ends = new HashMap<>();
      runs.stream()
          .filter(Run::returned)
          .forEach(run -> ends.merge(run.number(), run.ended(), Math::min));
      int newest = -1;
      Run previous = null;
      for (Run run : runs) {
        if (run.number() > newest) {
          assertThat(run.number()).as("the next new one of its key: %s", run).isEqualTo(newest + 1);
          newest = run.number();
          if (newest > 0) {
            assertThat(ends.getOrDefault(newest - 1, Long.MAX_VALUE))
                .as("the end of the one before %s", run)
                .isLessThanOrEqualTo(run.started());
          }
        }
        Run before = previous;
        if (before != null && run.live() && run.number() <= before.number()) {
          assertThat(breaks)
              .as("what broke between %s and %s", before, run)
              .anyMatch(at -> at > before.started() && at <= run.started());
        }
        if (run.live()) {
          previous = run;
        }
      }
    }
  }

  /** Of one key, one request runs at a time, among the instances that are taken for alive. */
  record OneAtATimePerKey() implements Guarantee {

    @Override
    public void judge(History history) {
      for (List<Run> runs : history.runsByKey().values()) {
        Run last = null;
        for (Run run : runs) {
          if (!run.live()) {
            continue;
          }
          if (last != null) {
            assertThat(last.ended())
                .as("the end of %s, before %s", last, run)
                .isLessThanOrEqualTo(run.started());
          }
          last = run;
        }
      }
    }
  }

  /**
   * Each of these runs of instances handled something.
   *
   * @param names what the runs' names begin with
   */
  record EveryoneWorked(Set<String> names) implements Guarantee {

    @Override
    public void judge(History history) {
      assertThat(names)
          .allSatisfy(
              name -> assertThat(history.runs()).anyMatch(run -> run.by().startsWith(name)));
    }
  }
}
