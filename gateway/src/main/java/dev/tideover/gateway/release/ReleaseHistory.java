package dev.tideover.gateway.release;

import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * When the steps of a service's last releases came, as one gateway saw them. Owned by a {@link
 * ServiceWatch}, under its lock.
 */
final class ReleaseHistory {

  /** More of them are forgotten, the oldest first. */
  private static final int KEPT = 4;

  /** A step and when it came, by the steady clock. */
  record Mark(Step step, long nanos) {}

  /**
   * A release.
   *
   * @param whole whether this gateway has seen all of it
   * @param beganNanos by the steady clock
   * @param clientsFailed clients of this gateway that got no answer of the service since it began
   */
  record Entry(
      Release release, boolean whole, long beganNanos, List<Mark> marks, long clientsFailed) {
    boolean isOver() {
      return release.step().isEnd();
    }
  }

  private final Deque<Entry> entries = new ArrayDeque<>();

  /** A state of a release has come; that of the last one or of a new one. */
  void onRelease(Release release, boolean found, long stateNanos, long beganNanos) {
    Entry last = entries.peekLast();
    if (last == null || !last.release().id().equals(release.id())) {
      entries.addLast(
          new Entry(
              release,
              !found && release.step() == Step.PREPARE,
              beganNanos,
              List.of(new Mark(release.step(), stateNanos)),
              0));
      while (entries.size() > KEPT) {
        entries.removeFirst();
      }
      return;
    }
    List<Mark> marks = new ArrayList<>(last.marks());
    if (marks.get(marks.size() - 1).step() != release.step()) {
      marks.add(new Mark(release.step(), stateNanos));
    }
    entries.removeLast();
    entries.addLast(
        new Entry(
            release, last.whole(), last.beganNanos(), List.copyOf(marks), last.clientsFailed()));
  }

  void onClientFailed() {
    Entry last = entries.peekLast();
    if (last != null && !last.isOver()) {
      entries.removeLast();
      entries.addLast(
          new Entry(
              last.release(),
              last.whole(),
              last.beganNanos(),
              last.marks(),
              last.clientsFailed() + 1));
    }
  }

  /** The one with this id, or with null the last one. */
  @Nullable Entry entry(@Nullable String id) {
    if (id == null) {
      return entries.peekLast();
    }
    return entries.stream()
        .filter(entry -> entry.release().id().equals(id))
        .findFirst()
        .orElse(null);
  }
}
