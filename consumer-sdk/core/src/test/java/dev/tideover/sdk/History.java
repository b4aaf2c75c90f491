package dev.tideover.sdk;

import dev.tideover.wire.RequestId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * All that was sent, handled and answered, for a {@link Guarantee} to judge. Immutable.
 *
 * @param sent in the order of sending
 * @param runs of handlers, in the order of their starts
 * @param answers in the order of their arrival
 * @param breaks when something happened after which requests may be handled again: an instance
 *     died, stood still or lost its partitions, or Kafka was away
 */
record History(List<Sent> sent, List<Run> runs, List<Answer> answers, List<Long> breaks) {

  /**
   * A request.
   *
   * @param number 0 for the first of its key
   * @param at when it was sent
   */
  record Sent(RequestId id, String key, int number, int partition, long at) {}

  /**
   * A handler's work for a request.
   *
   * @param by the run of the instance
   * @param ended when it ended, or its process died
   * @param returned whether it came to its end
   * @param live whether its instance was, all the time, one that Kafka and it itself had not taken
   *     for dead
   */
  record Run(
      String by,
      int partition,
      String key,
      int number,
      long started,
      long ended,
      boolean returned,
      boolean live) {}

  /**
   * A reply.
   *
   * @param completed whether it is the handler's own
   * @param version that of the instance
   */
  record Answer(RequestId id, boolean completed, String body, String version, long at) {}

  static History of(
      List<Sent> sent,
      Collection<Journal> journals,
      List<Answer> answers,
      Collection<Long> outages) {
    List<Run> runs = new ArrayList<>();
    List<Long> breaks = new ArrayList<>(outages);
    for (Journal journal : journals) {
      runs.addAll(runs(journal));
      breaks.addAll(journal.losses());
      breaks.add(journal.diedAt());
      breaks.add(journal.frozenAt());
    }
    runs.sort(Comparator.comparingLong(Run::started));
    return new History(List.copyOf(sent), List.copyOf(runs), List.copyOf(answers), breaks);
  }

  private static List<Run> runs(Journal journal) {
    long lost =
        journal.losses().stream()
            .filter(at -> at > journal.frozenAt())
            .findFirst()
            .orElse(Long.MIN_VALUE);
    List<Run> runs = new ArrayList<>();
    Map<String, Journal.Line> running = new HashMap<>();
    for (Journal.Line line : journal.handled()) {
      String request = line.key() + "/" + line.number();
      if (line.began()) {
        running.put(request, line);
      } else {
        runs.add(run(journal, running.remove(request), line.at(), true, lost));
      }
    }
    running.values().forEach(line -> runs.add(run(journal, line, journal.diedAt(), false, lost)));
    return runs;
  }

  private static Run run(
      Journal journal, Journal.Line began, long ended, boolean returned, long lost) {
    return new Run(
        journal.by(),
        began.partition(),
        began.key(),
        began.number(),
        began.at(),
        ended,
        returned,
        ended < journal.frozenAt() || began.at() > lost);
  }

  Map<String, List<Run>> runsByKey() {
    Map<String, List<Run>> byKey = new TreeMap<>();
    runs.forEach(run -> byKey.computeIfAbsent(run.key, key -> new ArrayList<>()).add(run));
    return byKey;
  }

  /** How many requests' handlers began more than once. */
  long handledTwice() {
    Map<String, Integer> starts = new HashMap<>();
    runs.forEach(run -> starts.merge(run.key + "/" + run.number, 1, Integer::sum));
    return starts.values().stream().filter(count -> count > 1).count();
  }

  /** From sending to reply, the longest of all, in nanoseconds. */
  long longestWait() {
    Map<RequestId, Long> first = new HashMap<>();
    answers.forEach(answer -> first.putIfAbsent(answer.id, answer.at));
    return sent.stream()
        .mapToLong(
            request -> {
              Long at = first.get(request.id);
              return at == null ? Long.MAX_VALUE : at - request.at;
            })
        .max()
        .orElse(0);
  }

  /** The same without what was sent before or after; both in nanoseconds. */
  History sentBetween(long from, long to) {
    return new History(
        sent.stream().filter(one -> one.at >= from && one.at < to).toList(),
        runs.stream().filter(run -> run.started >= from && run.started < to).toList(),
        answers,
        breaks);
  }
}
