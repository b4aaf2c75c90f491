package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.Test;

/** Single events; for all that depends on their order see {@link SimulatorTest}. */
class CoreTest {

  private static final TopicPartition P0 = new TopicPartition("orders.requests", 0);
  private static final long SECOND = 1_000_000_000L;

  private final List<Work<String>> begun = new ArrayList<>();
  private final List<String> forgotten = new ArrayList<>();
  private final List<CommitSnapshot> commits = new ArrayList<>();

  private final Core<String> core =
      new Core<>(
          new Policy("i", 5, failures -> 0, false, 10, 0, 30 * SECOND, true, 1_000, () -> 0),
          new Limits(10, 1_000, 20, 1_000, 60),
          effects(),
          0);

  @Test
  void whatHasEndedBeforeIsCommittedOnceItHasComeThoughNothingEnds() {
    core.assigned(List.of(P0), 0);
    CommitNote note =
        new CommitNote(Uuid.ONE_UUID, true, List.of(new CommitNote.OffsetRange(2, 4)));
    core.adopted(P0, 1, new Adoption(Uuid.ONE_UUID, 0, note, 0, 4, List.of(), Set.of(), 1));
    commit(0);
    // There is no record at offset 1, which nobody knows before 2 has come.
    core.received(P0, 0, null, 1, "first", Work.Step.HANDLE);
    core.start(0);
    core.ended(begun.get(0), 0, 0);
    commit(SECOND);
    core.received(P0, 2, null, 1, "done", Work.Step.HANDLE);
    core.received(P0, 3, null, 1, "done", Work.Step.HANDLE);
    commit(2 * SECOND);

    assertThat(begun).hasSize(1);
    assertThat(commits)
        .extracting(snapshot -> snapshot.entries().get(0).offset())
        .containsExactly(0L, 1L, 4L);
  }

  @Test
  void theWishForWhatHasBegunLeavesTheLedgerAtOnceAndThatForWhatHasNotOnceItIsCommitted() {
    core.assigned(List.of(P0), 0);
    core.adopted(P0, 1, new Adoption(Uuid.ONE_UUID, 0, null, 0, 2, List.of(), Set.of(), 1));
    commit(0);
    core.received(P0, 0, "key", 1, "begins", Work.Step.HANDLE);
    core.received(P0, 1, "key", 1, "waits", Work.Step.HANDLE);
    core.start(0);

    core.cancel(P0, 0, "begins");
    core.cancel(P0, 1, "waits");
    core.cancel(P0, 1, "another"); // is none of ours
    core.start(0);

    assertThat(begun).extracting(Work::offset).containsExactly(0L, 1L);
    assertThat(begun).extracting(Work::step).containsExactly(Work.Step.HANDLE, Work.Step.RECORD);
    assertThat(begun.get(1).entry()).isEqualTo(new LedgerEntry.Cancelled(1, "waits", true));
    assertThat(forgotten).containsExactly("cancel/0");
    core.recorded(begun.get(1), 0);
    assertThat(begun.get(2).step()).isEqualTo(Work.Step.CANCEL);
    core.ended(begun.get(2), 0, 0);
    core.ended(begun.get(0), 0, 0);
    assertThat(forgotten).containsExactly("cancel/0");
    commit(SECOND);

    assertThat(forgotten).contains("cancel/1", "cancelled/1");
    assertThat(core.isQuiet()).isTrue();
  }

  @Test
  void aRequestThatComesBackWithoutHavingBegunIsCancelledThen() {
    core.assigned(List.of(P0), 0);
    core.adopted(P0, 1, new Adoption(Uuid.ONE_UUID, 0, null, 0, 2, List.of(), Set.of(), 1));
    commit(0);
    core.received(P0, 0, null, 1, "refused", Work.Step.HANDLE);
    core.start(0);
    core.cancel(P0, 0, "refused");

    core.again(begun.get(0), SECOND, 0);
    core.start(0);

    assertThat(begun).hasSize(2);
    assertThat(begun.get(1).entry()).isEqualTo(new LedgerEntry.Cancelled(0, "refused", true));
  }

  private void commit(long now) {
    int before = commits.size();
    core.commit(now);
    if (commits.size() > before) {
      core.committed(commits.get(before), true, now);
    }
  }

  @SuppressWarnings("unchecked") // a proxy has no type arguments
  private Effects<String> effects() {
    return (Effects<String>)
        Proxy.newProxyInstance(
            Effects.class.getClassLoader(),
            new Class<?>[] {Effects.class},
            (proxy, method, arguments) -> {
              switch (method.getName()) {
                case "begin" -> begun.add((Work<String>) arguments[0]);
                case "forget" -> forgotten.add((String) arguments[1]);
                case "idOf" -> {
                  return arguments[0];
                }
                case "commit" -> commits.add((CommitSnapshot) arguments[0]);
                default -> {}
              }
              return null;
            });
  }
}
