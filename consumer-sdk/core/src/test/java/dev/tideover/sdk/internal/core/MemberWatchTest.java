package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;

/** Who is silent, by a clock that the test sets; times are in milliseconds. */
class MemberWatchTest {

  private static final long START = Long.MAX_VALUE - 500_000_000L; // nanoTime may overflow
  private static final int BEAT = 300;

  private final MemberWatch watch = new MemberWatch("orders-own", "own-run");
  private long now;

  private long nanos() {
    return START + now * 1_000_000;
  }

  private void heard(String name, String run) {
    watch.alive(nanos(), name, run);
  }

  private void own() {
    heard("orders-own", "own-run");
  }

  /** Time goes by with these heartbeats every 300 ms; those without a slash are of a run "1". */
  private void listen(int millis, String... names) {
    for (int end = (int) now + millis; now + BEAT <= end; ) {
      now += BEAT;
      own();
      for (String name : names) {
        String[] parts = name.split("/", -1);
        heard(parts[0], parts.length > 1 ? parts[1] : "1");
      }
    }
  }

  @Test
  void whoFallsSilentForASecondIsSilent() {
    own();
    listen(3_000, "a", "b");
    listen(900, "b");
    assertThat(watch.silent(nanos())).isEmpty();
    assertThat(watch.alive(nanos())).containsExactlyInAnyOrder("own-run", "1");

    listen(300, "b");
    assertThat(watch.silent(nanos())).containsExactly("a");
  }

  @Test
  void untilItHasHeardItselfForAWhileNobodyIsSilent() {
    watch.inGroup(nanos(), Set.of("never-heard"));
    heard("a", "1");
    own();
    listen(1_200);
    assertThat(watch.isListening(nanos())).isFalse();
    assertThat(watch.hasHeardAll(nanos())).isTrue();
    assertThat(watch.silent(nanos())).isEmpty();

    listen(300);
    assertThat(watch.isListening(nanos())).isTrue();
    assertThat(watch.silent(nanos())).containsExactlyInAnyOrder("a", "never-heard");
  }

  @Test
  void anOutageOrAHaltOfOurOwnMakesNobodySilent() {
    own();
    listen(3_000, "a");
    for (int halt : new int[] {500, 3_000, 60_000}) {
      now += halt;
      assertThat(watch.silent(nanos())).as("just after %d ms", halt).isEmpty();
      // What had piled up comes at once; then the others are slower to come back than we are.
      own();
      own();
      listen(1_200);
      assertThat(watch.silent(nanos())).isEmpty();
      assertThat(watch.alive(nanos())).contains("1");
      heard("a", "1");
      listen(600);
      assertThat(watch.silent(nanos())).isEmpty();
      listen(3_000, "a");
    }
  }

  @Test
  void aShortHaltChangesNothing() {
    own();
    listen(3_000, "a");
    now += 499;
    assertThat(watch.isListening(nanos())).isTrue();
    assertThat(watch.silent(nanos())).isEmpty();
    own();
    heard("a", "1");
    assertThat(watch.isListening(nanos())).isTrue();
  }

  @Test
  void whoLeavesIsNotSilentUnlessTheGroupStillHasItMuchLater() {
    own();
    listen(3_000, "a", "b");
    watch.inGroup(nanos(), Set.of("a", "b", "orders-own"));
    watch.leaving(nanos(), "a", "1");
    watch.leaving(nanos(), "b", "1");
    assertThat(watch.alive(nanos())).containsExactly("own-run");
    listen(9_900);
    assertThat(watch.silent(nanos())).isEmpty();

    watch.inGroup(nanos(), Set.of("a", "orders-own"));
    listen(300);
    assertThat(watch.silent(nanos())).containsExactly("a");
  }

  @Test
  void theLastWordsOfAPredecessorDoNotCountForItsSuccessor() {
    own();
    listen(3_000, "a/1");
    heard("a", "2");
    watch.leaving(nanos(), "a", "1");
    assertThat(watch.alive(nanos())).containsExactlyInAnyOrder("own-run", "2");
    listen(1_200);
    assertThat(watch.silent(nanos())).containsExactly("a");
  }

  @Test
  void aMemberOfTheGroupThatWasNeverHeardIsSilentOnlyWhenItHadTimeToBeHeard() {
    own();
    listen(3_000);
    watch.inGroup(nanos(), Set.of("late", "orders-own"));
    assertThat(watch.silent(nanos())).isEmpty();
    listen(1_200);
    watch.inGroup(nanos(), Set.of("late", "orders-own"));
    assertThat(watch.silent(nanos())).isEmpty();
    listen(300);
    assertThat(watch.silent(nanos())).containsExactly("late");
  }

  @Test
  void whoIsInTheGroupAgainAfterItsRemovalAndNeverHeardIsLeftAlone() {
    own();
    watch.inGroup(nanos(), Set.of("mute"));
    listen(1_500);
    assertThat(watch.silent(nanos())).containsExactly("mute");
    watch.removed("mute");
    assertThat(watch.silent(nanos())).isEmpty();
    watch.inGroup(nanos(), Set.of("mute"));
    listen(30_000);
    assertThat(watch.silent(nanos())).isEmpty();

    // Once it has been heard it can be judged by its heartbeats.
    heard("mute", "2");
    listen(1_200);
    assertThat(watch.silent(nanos())).containsExactly("mute");
  }

  @Test
  void whoIsRemovedIsSilentNoMoreUntilItIsHeardAgain() {
    own();
    listen(3_000, "a");
    listen(1_200);
    assertThat(watch.silent(nanos())).containsExactly("a");
    watch.removed("a");
    assertThat(watch.silent(nanos())).isEmpty();
    listen(600, "a/2");
    assertThat(watch.alive(nanos())).contains("2");
    listen(1_200);
    assertThat(watch.silent(nanos())).containsExactly("a");
  }

  @Test
  void weAreNeverSilentOurselves() {
    own();
    heard("orders-own", "other-run");
    watch.inGroup(nanos(), Set.of("orders-own"));
    listen(30_000);
    assertThat(watch.silent(nanos())).isEmpty();
  }

  @Test
  void ourNameIsFreeWhenNoOtherRunOfItIsHeard() {
    own();
    assertThat(watch.isNameFree(nanos())).isFalse();
    listen(3_000, "orders-own/older-run");
    assertThat(watch.isNameFree(nanos())).isFalse();
    assertThat(watch.alive(nanos())).containsExactlyInAnyOrder("own-run", "older-run");
    listen(900);
    assertThat(watch.isNameFree(nanos())).isFalse();
    listen(300);
    assertThat(watch.isNameFree(nanos())).isTrue();
    assertThat(watch.alive(nanos())).containsExactly("own-run");

    heard("orders-own", "older-run");
    assertThat(watch.isNameFree(nanos())).isFalse();
    watch.leaving(nanos(), "orders-own", "older-run");
    assertThat(watch.isNameFree(nanos())).isTrue();
    now += 600;
    assertThat(watch.isNameFree(nanos())).isFalse();
  }

  @Test
  @Timeout(value = 10, threadMode = ThreadMode.SEPARATE_THREAD) // it went round for ever
  void anotherRunUnderOurNameIsAliveFromTheFirstHeartbeatUntilItIsSilent() {
    heard("orders-own", "other-run");
    assertThat(watch.alive(nanos())).containsExactlyInAnyOrder("own-run", "other-run");

    own();
    listen(1_800, "orders-own/other-run");
    assertThat(watch.alive(nanos())).containsExactlyInAnyOrder("own-run", "other-run");

    listen(1_200);
    assertThat(watch.alive(nanos())).containsExactly("own-run");
  }

  @Test
  void namesFromATopicFullOfNonsenseAreBounded() {
    own();
    for (int i = 0; i < 30_000; i++) {
      heard("x" + i, "1");
    }
    listen(1_500);
    assertThat(watch.silent(nanos())).hasSize(10_000);
  }
}
