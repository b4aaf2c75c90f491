package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestEnvelope;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Collection;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.MemberDescription;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Start, close and failure, on a real broker. */
@KafkaTest
@Timeout(120)
class LifecycleIT {

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void closeWaitsForWhatRunsAnswersItCommitsAndLeaves(String protocol, TestKafka kafka)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    CountDownLatch inHandler = new CountDownLatch(1);
    CountDownLatch finish = new CountDownLatch(1);
    TideoverConsumer consumer =
        service
            .builder()
            .property("group.protocol", protocol)
            .handler(
                request -> {
                  inHandler.countDown();
                  assertThat(finish.await(30, TimeUnit.SECONDS)).isTrue();
                  return Outcome.reply(204);
                })
            .start();
    RequestEnvelope running = service.request("k", "1");
    RequestEnvelope waiting = service.request("k", "2");
    kafka.produce(service.record(running), service.record(waiting));
    assertThat(inHandler.await(30, TimeUnit.SECONDS)).isTrue();

    CompletableFuture<Void> closing = CompletableFuture.runAsync(consumer::close);
    TestService.await().until(() -> consumer.state() == ConsumerState.DRAINING);
    assertThat(closing).isNotDone();
    finish.countDown();
    closing.get(20, TimeUnit.SECONDS);

    assertThat(consumer.state()).isEqualTo(ConsumerState.CLOSED);
    assertThat(consumer.partitions()).isEmpty();
    assertThat(service.replies()).containsOnlyKeys(running.id());
    assertThat(service.committed(0)).isEqualTo(1);
    // It has left, though it is a static member, so the next one needn't wait for a timeout.
    assertThat(members(service)).isEmpty();
    consumer.close();

    try (TideoverConsumer next = service.builder().handler(request -> Outcome.reply(200)).start()) {
      assertThat(service.awaitReply(waiting).status()).isEqualTo(200);
      assertThat(service.replies().get(running.id())).hasSize(1);
      assertThat(next.failure()).isEmpty();
    }
  }

  @Test
  void theOnlyInstanceKeepsItsNameInTheGroupForItsSuccessor(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    RequestHandler handler = request -> Outcome.reply(204);
    service.startAlone(service.builder().instance("orders-1").handler(handler)).close();
    assertThat(members(service)).hasSize(1);

    // Under the same name: at once. Under another one: when the first is found to be silent.
    try (TideoverConsumer second =
        service.startAlone(service.builder().instance("orders-1").handler(handler))) {
      service.awaitReply(service.send(service.request("k", "1")));
      assertThat(second.failure()).isEmpty();
    }
    try (TideoverConsumer third =
        service.startAlone(service.builder().instance("orders-2").handler(handler))) {
      service.awaitReply(service.send(service.request("k", "2")));
      assertThat(third.failure()).isEmpty();
    }
  }

  @Test
  void anInstanceWithOthersLeavesThoughItHasAName(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 2);
    RequestHandler handler = request -> Outcome.reply(204);
    try (TideoverConsumer first =
        service.startAlone(service.builder().instance("orders-1").handler(handler))) {
      try (TideoverConsumer second =
          service.builder().instance("orders-2").handler(handler).start()) {
        TestService.await().until(() -> second.partitions().size() == 1);
      }
      assertThat(members(service)).hasSize(1);
      TestService.await().until(() -> first.partitions().size() == 2);
    }
  }

  private static Collection<MemberDescription> members(TestService service) throws Exception {
    return service
        .kafka
        .admin()
        .describeConsumerGroups(Set.of(service.name))
        .all()
        .get(30, TimeUnit.SECONDS)
        .get(service.name)
        .members();
  }

  @Test
  void afterTheDrainTimeoutHandlersAreInterruptedAndTheirRequestsHandledAgain(TestKafka kafka)
      throws InterruptedException {
    TestService service = new TestService(kafka, 1);
    CountDownLatch inHandler = new CountDownLatch(1);
    CountDownLatch interrupted = new CountDownLatch(1);
    TideoverConsumer consumer =
        service
            .builder()
            .attempts(1)
            .drainTimeout(Duration.ofMillis(200))
            .handler(
                request -> {
                  inHandler.countDown();
                  try {
                    new CountDownLatch(1).await();
                  } catch (InterruptedException e) {
                    interrupted.countDown();
                    throw new IllegalStateException("the pool is closed", e);
                  }
                  return Outcome.reply(204);
                })
            .start();
    RequestEnvelope request = service.send(service.request("k", "1"));
    assertThat(inHandler.await(30, TimeUnit.SECONDS)).isTrue();

    long before = System.nanoTime();
    consumer.close();
    assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(10));
    assertThat(interrupted.await(10, TimeUnit.SECONDS)).isTrue();
    assertThat(service.replies()).isEmpty();

    try (TideoverConsumer next =
        service.builder().handler(again -> Outcome.reply(200).text("" + again.attempt())).start()) {
      ReplyEnvelope reply = service.awaitReply(request);
      assertThat(new String(reply.body(), UTF_8)).isEqualTo("1");
      assertThat(kafka.readAll(service.dead)).isEmpty();
      assertThat(next.failure()).isEmpty();
    }
  }

  @Test
  void whatFailsDuringAShutdownUsesNoAttempt(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    CountDownLatch inHandler = new CountDownLatch(1);
    AtomicBoolean closed = new AtomicBoolean();
    CountDownLatch goOn = new CountDownLatch(1);
    TideoverConsumer consumer =
        service
            .builder()
            .attempts(1)
            .handler(
                request -> {
                  inHandler.countDown();
                  assertThat(goOn.await(30, TimeUnit.SECONDS)).isTrue();
                  throw new IllegalStateException("the connection pool is closed: " + closed);
                })
            .start();
    RequestEnvelope request = service.send(service.request("k", "1"));
    assertThat(inHandler.await(30, TimeUnit.SECONDS)).isTrue();
    CompletableFuture<Void> closing = CompletableFuture.runAsync(consumer::close);
    TestService.await().until(() -> consumer.state() == ConsumerState.DRAINING);
    TestService.await().until(() -> service.committed(0) == 0);
    goOn.countDown();
    closing.get(20, TimeUnit.SECONDS);

    assertThat(kafka.readAll(service.dead)).isEmpty();
    assertThat(service.replies()).isEmpty();
    try (TideoverConsumer next = service.builder().handler(again -> Outcome.reply(200)).start()) {
      assertThat(service.awaitReply(request).status()).isEqualTo(200);
      assertThat(next.failure()).isEmpty();
    }
  }

  @Test
  void aHandlerMayCloseItsConsumer(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    AtomicReference<TideoverConsumer> self = new AtomicReference<>();
    TideoverConsumer consumer =
        service
            .builder()
            .handler(
                request -> {
                  self.get().close();
                  return Outcome.reply(204);
                })
            .start();
    self.set(consumer);
    RequestEnvelope request = service.send(service.request("k", "1"));

    TestService.await().until(() -> consumer.state() == ConsumerState.CLOSED);
    assertThat(service.awaitReply(request).status()).isEqualTo(204);
  }

  @Test
  void outOfMemoryEndsTheConsumerAndSendsNothing(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(1)
            .handler(
                request -> {
                  throw new OutOfMemoryError("for the test");
                })
            .start()) {
      service.send(service.request("k", "1"));

      TestService.await().until(() -> consumer.state() == ConsumerState.FAILED);
      assertThat(consumer.failure()).containsInstanceOf(OutOfMemoryError.class);
      TestService.await().until(() -> consumer.partitions().isEmpty());
      assertThat(consumer.awaitAssignment(Duration.ofSeconds(1))).isFalse();
      assertThat(kafka.readAll(service.dead)).isEmpty();
      assertThat(service.replies()).isEmpty();
    }
  }

  @Test
  void asSecondWithTheSameInstanceNameTheOlderOneFailsAndSaysWhy(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    RequestHandler handler = request -> Outcome.reply(204);
    try (TideoverConsumer older =
            service.startAlone(service.builder().instance("one").handler(handler));
        TideoverConsumer newer =
            service.startAlone(service.builder().instance("one").handler(handler))) {
      TestService.await().until(() -> older.state() == ConsumerState.FAILED);
      assertThat(older.failure().orElseThrow())
          .hasMessageContaining("another process has joined")
          .hasMessageContaining("\"one\"");
      assertThat(newer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void aMissingTopicIsNamedWithWhatToDo(TestKafka kafka) {
    ConsumerBuilder builder =
        Tideover.service(kafka.uniqueName("nobody"))
            .bootstrapServers(kafka.bootstrapServers())
            .startTimeout(Duration.ofSeconds(1))
            .handler(request -> Outcome.reply(204));

    assertThatThrownBy(builder::start)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(".requests isn't there after PT1S")
        .hasMessageContaining("start the gateway first");
    assertThatThrownBy(builder::start).hasMessageContaining("start() was called already");
  }

  @Test
  void startWaitsForTopicsThatAreCreatedMeanwhile(TestKafka kafka) throws Exception {
    String name = kafka.uniqueName("orders");
    CompletableFuture<TideoverConsumer> starting =
        CompletableFuture.supplyAsync(
            () ->
                Tideover.service(name)
                    .bootstrapServers(kafka.bootstrapServers())
                    .replyTopics(name + ".replies")
                    .startTimeout(Duration.ofSeconds(30))
                    .handler(request -> Outcome.reply(204))
                    .start());
    kafka.createTopic(name + ".requests", 1);
    kafka.createTopic(name + ".dead", 1);
    assertThat(starting).isNotDone();
    kafka.createTopic(name + ".replies", 1);

    try (TideoverConsumer consumer = starting.get(30, TimeUnit.SECONDS)) {
      assertThat(consumer.awaitAssignment(Duration.ofSeconds(30))).isTrue();
    }
  }

  @Test
  void kafkaAwayIsSaidWithTheAddress() throws Exception {
    int port;
    try (ServerSocket socket = new ServerSocket(0)) {
      port = socket.getLocalPort();
    }
    assertThatThrownBy(
            () ->
                Tideover.service("orders")
                    .bootstrapServers("127.0.0.1:" + port)
                    .startTimeout(Duration.ofSeconds(1))
                    .handler(request -> Outcome.reply(204))
                    .start())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("Kafka doesn't answer at 127.0.0.1:" + port);
  }

  @Test
  void aSettingThatKafkaRefusesIsNamed(TestKafka kafka) {
    assertThatThrownBy(
            () ->
                Tideover.service("orders")
                    .bootstrapServers(kafka.bootstrapServers())
                    .property("security.protocol", "MAGIC")
                    .handler(request -> Outcome.reply(204))
                    .start())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("security.protocol");
  }
}
