package dev.tideover.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TaskPoolTest {

  private static final Duration BOUND = Duration.ofSeconds(20);

  private final List<TaskPool> pools = new ArrayList<>();

  private TaskPool pool(int size) {
    TaskPool pool =
        new TaskPool(
            size,
            task -> {
              Thread thread = new Thread(task);
              thread.setDaemon(true);
              return thread;
            });
    pools.add(pool);
    return pool;
  }

  @AfterEach
  void close() throws InterruptedException {
    for (TaskPool pool : pools) {
      assertThat(pool.close(BOUND)).isTrue();
    }
  }

  private static boolean await(CountDownLatch latch) throws InterruptedException {
    return latch.await(BOUND.toSeconds(), TimeUnit.SECONDS);
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      await(latch);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void tasksThatBlockHaveAllThreadsAndNoMore() throws InterruptedException {
    TaskPool pool = pool(8);
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    CountDownLatch eight = new CountDownLatch(8);
    CountDownLatch all = new CountDownLatch(20);
    CountDownLatch go = new CountDownLatch(1);
    for (int n = 0; n < 20; n++) {
      pool.execute(
          () -> {
            most.accumulateAndGet(running.incrementAndGet(), Math::max);
            eight.countDown();
            awaitQuietly(go);
            running.decrementAndGet();
            all.countDown();
          });
    }
    assertThat(await(eight)).isTrue();
    go.countDown();
    assertThat(await(all)).isTrue();
    assertThat(most).hasValue(8);
  }

  /**
   * Each round begins when all is done and threads are about to stop: that is where one is lost.
   */
  @Test
  void noTaskIsLeftBehindWhenThreadsAreJustStopping() throws Exception {
    TaskPool pool = pool(2);
    int givers = 3;
    int rounds = 20_000;
    CyclicBarrier together = new CyclicBarrier(givers);
    List<Thread> threads = new ArrayList<>();
    AtomicInteger done = new AtomicInteger();
    for (int giver = 0; giver < givers; giver++) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  for (int round = 0; round < rounds; round++) {
                    CountDownLatch mine = new CountDownLatch(1);
                    pool.execute(mine::countDown);
                    if (!await(mine)) {
                      return;
                    }
                    done.incrementAndGet();
                    if (round % 64 == 0) {
                      together.await(BOUND.toSeconds(), TimeUnit.SECONDS);
                    }
                  }
                } catch (Exception e) {
                  Thread.currentThread().interrupt();
                }
              });
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join(BOUND.toMillis() * 2);
    }
    assertThat(done).hasValue(givers * rounds);
  }

  @Test
  void shortTasksNeedFewThreads() throws InterruptedException {
    TaskPool pool = pool(64);
    Set<Thread> used = ConcurrentHashMap.newKeySet();
    CountDownLatch all = new CountDownLatch(100_000);
    for (int n = 0; n < 100_000; n++) {
      pool.execute(
          () -> {
            used.add(Thread.currentThread());
            all.countDown();
          });
    }
    assertThat(await(all)).isTrue();
    assertThat(used).hasSizeLessThan(64);
  }

  @Test
  void anotherThreadTakesThePlaceOfALostOne() throws InterruptedException {
    TaskPool pool = pool(1);
    CountDownLatch lost = new CountDownLatch(1);
    CountDownLatch other = new CountDownLatch(1);
    pool.execute(() -> awaitQuietly(lost));
    pool.execute(other::countDown);
    pool.resize(1);
    assertThat(await(other)).isTrue();
    lost.countDown();
    pool.resize(-1);
    CountDownLatch last = new CountDownLatch(1);
    pool.execute(last::countDown);
    assertThat(await(last)).isTrue();
  }

  @Test
  void anInterruptIsNotHandedOnToTheNextTask() throws InterruptedException {
    TaskPool pool = pool(1);
    AtomicInteger interrupted = new AtomicInteger();
    CountDownLatch done = new CountDownLatch(1);
    pool.execute(() -> Thread.currentThread().interrupt());
    pool.execute(
        () -> {
          if (Thread.currentThread().isInterrupted()) {
            interrupted.incrementAndGet();
          }
          done.countDown();
        });
    assertThat(await(done)).isTrue();
    assertThat(interrupted).hasValue(0);
  }

  @Test
  void aTaskThatThrowsCostsNoOtherTask() throws InterruptedException {
    TaskPool pool = pool(1);
    CountDownLatch done = new CountDownLatch(1);
    Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
    Thread.setDefaultUncaughtExceptionHandler((thread, failure) -> {});
    try {
      pool.execute(
          () -> {
            throw new IllegalStateException("as it was told to");
          });
      pool.execute(done::countDown);
      assertThat(await(done)).isTrue();
    } finally {
      Thread.setDefaultUncaughtExceptionHandler(before);
    }
  }

  @Test
  void closingInterruptsWhatRunsAndTakesNothingMore() throws InterruptedException {
    TaskPool pool = pool(1);
    CountDownLatch begun = new CountDownLatch(1);
    CountDownLatch interrupted = new CountDownLatch(1);
    pool.execute(
        () -> {
          begun.countDown();
          try {
            new CountDownLatch(1).await();
          } catch (InterruptedException expected) {
            interrupted.countDown();
          }
        });
    assertThat(await(begun)).isTrue();
    assertThat(pool.close(BOUND)).isTrue();
    assertThat(await(interrupted)).isTrue();
    assertThatThrownBy(() -> pool.execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
  }
}
