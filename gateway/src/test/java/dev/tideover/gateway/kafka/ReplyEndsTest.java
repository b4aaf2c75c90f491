package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.config.GatewayConfig;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The feed stands at offset 10 of both partitions; what Kafka says is in the test's hands. */
class ReplyEndsTest {

  private static final Duration LIMIT = Duration.ofSeconds(20);

  private record Asked(long at, Map<Integer, CompletableFuture<Long>> ends) {}

  private final BlockingQueue<Asked> asked = new LinkedBlockingQueue<>();
  private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
  private ReplyFeed feed;
  private ReplyEnds ends;

  @BeforeEach
  void start() throws Exception {
    MockConsumer<byte[], byte[]> consumer = new MockConsumer<>("none");
    consumer.updateEndOffsets(
        Map.of(new TopicPartition("replies", 0), 10L, new TopicPartition("replies", 1), 10L));
    feed =
        ReplyFeed.start(
            consumer,
            new GatewayConfig.Replies("replies", 2, Duration.ofHours(1)),
            new ReplyIndex(10_000, 2),
            new ReplyTopic.Silence(),
            (duplicate, place) -> {},
            ReplyObserver.NONE,
            executor);
    feed.ready().toCompletableFuture().get(10, TimeUnit.SECONDS);
    ends = new ReplyEnds(this::ask, feed, LIMIT, executor);
  }

  @AfterEach
  void stop() {
    feed.close();
    executor.shutdownNow();
  }

  private Map<Integer, CompletableFuture<Long>> ask(List<Integer> partitions) {
    Map<Integer, CompletableFuture<Long>> answers = new HashMap<>();
    partitions.forEach(partition -> answers.put(partition, new CompletableFuture<>()));
    asked.add(new Asked(System.nanoTime(), answers));
    return answers;
  }

  private Asked next() throws InterruptedException {
    Asked next = asked.poll(10, TimeUnit.SECONDS);
    assertThat(next).as("a request to Kafka").isNotNull();
    return next;
  }

  @Test
  void isCaughtUpWhereTheFeedIsAtTheEndAlready() throws Exception {
    CompletableFuture<Boolean> caughtUp = ends.caughtUp(1);
    Asked request = next();
    assertThat(request.ends()).containsOnlyKeys(1);
    assertThat(caughtUp).isNotDone();

    request.ends().get(1).complete(10L);

    assertThat(caughtUp.get(10, TimeUnit.SECONDS)).isTrue();
  }

  /** Another gateway may have told of a reply that was written after the end was asked for. */
  @Test
  void anEndThatWasAskedForBeforeTheQuestionIsNotUsedForIt() throws Exception {
    CompletableFuture<Boolean> first = ends.caughtUp(0);
    Asked before = next();
    CompletableFuture<Boolean> second = ends.caughtUp(0);

    before.ends().get(0).complete(10L);

    assertThat(first.get(10, TimeUnit.SECONDS)).isTrue();
    Asked after = next();
    assertThat(second).isNotDone();
    after.ends().get(0).complete(10L);
    assertThat(second.get(10, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void allWhoComeMeanwhileShareOneRequestAndRequestsArePaced() throws Exception {
    List<CompletableFuture<Boolean>> waiting = new ArrayList<>();
    List<Asked> requests = new ArrayList<>();
    long begin = System.nanoTime();
    for (int round = 0; round < 10; round++) {
      for (int i = 0; i < 1_000; i++) {
        waiting.add(ends.caughtUp(i % 2));
      }
      Asked request = next();
      requests.add(request);
      request.ends().values().forEach(end -> end.complete(10L));
    }
    for (CompletableFuture<Boolean> each : waiting) {
      // Some of the last came after the last request had gone.
      while (!each.isDone()) {
        Asked more = asked.poll(10, TimeUnit.MILLISECONDS);
        if (more != null) {
          requests.add(more);
          more.ends().values().forEach(end -> end.complete(10L));
        }
      }
      assertThat(each.join()).isTrue();
    }

    assertThat(requests).hasSizeLessThan(50);
    // One can be held up on its way out and the next not, so the distance of two says nothing.
    for (int i = 1; i < requests.size(); i++) {
      assertThat(requests.get(i).at() - begin).isGreaterThanOrEqualTo(i * ReplyEnds.PACE.toNanos());
    }
  }

  @Test
  void aPartitionWithoutAnAnswerKeepsUpNobodyElse() throws Exception {
    CompletableFuture<Boolean> stuck = ends.caughtUp(0);
    next();
    for (int i = 0; i < 5; i++) {
      CompletableFuture<Boolean> later = ends.caughtUp(0);
      CompletableFuture<Boolean> other = ends.caughtUp(1);
      Asked request = next();
      assertThat(request.ends()).containsOnlyKeys(1);
      request.ends().get(1).complete(10L);
      assertThat(other.get(10, TimeUnit.SECONDS)).isTrue();
      assertThat(later).isNotDone();
    }
    assertThat(stuck).isNotDone();
  }

  @Test
  void isNotCaughtUpWhereKafkaFailsOrIsSilentOrTheFeedIsBehind() throws Exception {
    CompletableFuture<Boolean> refused = ends.caughtUp(0);
    next().ends().get(0).completeExceptionally(new IllegalStateException("no leader"));
    assertThat(refused.get(10, TimeUnit.SECONDS)).isFalse();

    ends = new ReplyEnds(this::ask, feed, Duration.ofMillis(200), executor);
    assertThat(ends.caughtUp(0).get(10, TimeUnit.SECONDS)).isFalse();
    next();
    CompletableFuture<Boolean> behind = ends.caughtUp(1);
    next().ends().get(1).complete(11L);
    assertThat(behind.get(10, TimeUnit.SECONDS)).isFalse();
  }
}
