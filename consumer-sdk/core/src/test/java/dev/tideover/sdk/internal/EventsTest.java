package dev.tideover.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.sdk.ConsumerListener;
import dev.tideover.sdk.ConsumerState;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EventsTest {

  private static final Duration LONG = Duration.ofSeconds(30);

  /** Writes down the ids of dead letters; waits first, if it is told to. */
  private static final class Recorder implements ConsumerListener {
    final List<String> ids = Collections.synchronizedList(new ArrayList<>());
    final CountDownLatch entered = new CountDownLatch(1);
    final CountDownLatch go;

    Recorder(int wait) {
      go = new CountDownLatch(wait);
    }

    @Override
    public void deadLetter(String requestId, String reason) {
      entered.countDown();
      try {
        if (!go.await(30, TimeUnit.SECONDS)) {
          throw new AssertionError("nobody said go");
        }
      } catch (InterruptedException interrupted) {
        ids.add("interrupted");
        return;
      }
      ids.add(requestId);
    }
  }

  private static void dead(Events events, String id) {
    events.tell(listener -> listener.deadLetter(id, "failed"));
  }

  @Test
  void tellsInOrderOnAThreadOfItsOwnAndCloseWaitsForIt() {
    AtomicReference<Thread> thread = new AtomicReference<>();
    List<ConsumerState> states = Collections.synchronizedList(new ArrayList<>());
    Events events =
        new Events(
            new ConsumerListener() {
              @Override
              public void stateChanged(ConsumerState from, ConsumerState to) {
                thread.set(Thread.currentThread());
                states.add(to);
              }
            },
            "of-the-test",
            LONG);
    for (ConsumerState state : ConsumerState.values()) {
      events.tell(listener -> listener.stateChanged(ConsumerState.STARTING, state));
    }
    events.close();
    assertThat(states).containsExactly(ConsumerState.values());
    assertThat(thread.get().getName()).isEqualTo("of-the-test");
    assertThat(thread.get().isDaemon()).isTrue();
    assertThat(thread.get().isAlive()).isFalse();
  }

  @Test
  void aListenerThatThrowsIsToldTheNextEvent() {
    Recorder recorder = new Recorder(0);
    Events events = new Events(recorder, "test", LONG);
    events.tell(
        listener -> {
          throw new IllegalStateException("broken");
        });
    events.tell(
        listener -> {
          throw new AssertionError("broken");
        });
    events.tell(listener -> Thread.currentThread().interrupt());
    dead(events, "after");
    events.close();
    assertThat(recorder.ids).containsExactly("after");
  }

  @Test
  void nobodyWaitsForASlowListenerAndWhatFindsNoRoomIsCounted() throws InterruptedException {
    Recorder recorder = new Recorder(1);
    Events events = new Events(recorder, "test", LONG);
    dead(events, "first");
    assertThat(recorder.entered.await(30, TimeUnit.SECONDS)).isTrue();
    for (int i = 0; i < Events.CAPACITY + 7; i++) {
      dead(events, "more");
    }
    assertThat(events.dropped()).isEqualTo(7);
    recorder.go.countDown();
    await().until(() -> recorder.ids.size() == Events.CAPACITY + 1);
    dead(events, "last");
    events.close();
    assertThat(recorder.ids).last().isEqualTo("last");
    assertThat(events.dropped()).isEqualTo(7);
  }

  @Test
  void closeInterruptsAListenerThatDoesNotReturn() throws InterruptedException {
    Recorder recorder = new Recorder(1);
    Events events = new Events(recorder, "test", Duration.ofMillis(50));
    for (int i = 0; i < Events.CAPACITY + 1; i++) {
      dead(events, "stuck");
      assertThat(recorder.entered.await(30, TimeUnit.SECONDS)).isTrue();
    }
    events.close();
    await().untilAsserted(() -> assertThat(recorder.ids).containsExactly("interrupted"));
    dead(events, "later");
    assertThat(recorder.ids).containsExactly("interrupted");
  }

  @Test
  void aListenerMayCloseWithoutWaitingForItself() {
    AtomicReference<Events> events = new AtomicReference<>();
    AtomicBoolean closed = new AtomicBoolean();
    events.set(new Events(new ConsumerListener() {}, "test", LONG));
    events
        .get()
        .tell(
            listener -> {
              assertThat(events.get().isListener()).isTrue();
              events.get().close();
              closed.set(true);
            });
    await().untilTrue(closed);
    events.get().close();
    assertThat(events.get().isListener()).isFalse();
  }

  @Test
  void withoutAListenerThereIsNothingToDo() {
    Events events = new Events(null, "test", LONG);
    dead(events, "x");
    events.close();
    assertThat(events.dropped()).isZero();
  }
}
