package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaBroker;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport.State;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * From one version to another and back, under load, on a broker that has the default settings of
 * Kafka in what concerns groups.
 */
@Tag("long")
@Timeout(180)
class SwitchIT {

  private static KafkaBroker broker;

  private final List<TideoverConsumer> instances = new ArrayList<>();
  private final List<Journal> journals = new ArrayList<>();
  private TestKafka kafka;
  private TestService service;
  private Operator operator;
  private Traffic traffic;

  @BeforeAll
  static void startBroker() {
    broker =
        KafkaBroker.builder()
            .property("group.initial.rebalance.delay.ms", "3000")
            .property("group.consumer.min.heartbeat.interval.ms", "5000")
            .property("group.consumer.heartbeat.interval.ms", "5000")
            .start();
  }

  @AfterAll
  static void stopBroker() {
    broker.close();
  }

  @BeforeEach
  void open() throws InterruptedException {
    kafka = TestKafka.at(broker.bootstrapServers());
    service = new TestService(kafka, 6);
    operator = new Operator(kafka, service.name);
    operator.activate("blue");
    traffic = Traffic.start(service, 100, 120);
  }

  @AfterEach
  void close() {
    traffic.close();
    CompletableFuture.allOf(
            instances.stream()
                .map(consumer -> CompletableFuture.runAsync(consumer::close))
                .toArray(CompletableFuture[]::new))
        .orTimeout(90, TimeUnit.SECONDS)
        .join();
    kafka.close();
  }

  private void start(
      String version, int count, String protocol, UnaryOperator<RequestHandler> wrapper) {
    for (int i = 0; i < count; i++) {
      String name = version + "-" + i;
      Journal journal = Journal.inMemory(name);
      instances.add(
          service
              .builder()
              .version(version)
              .instance(name)
              .property("group.protocol", protocol)
              .handler(journal.handler(wrapper.apply(Fleet.WORK)))
              .listener(journal.listener())
              .start());
      journals.add(journal);
    }
  }

  /**
   * Whatever the release says next: from the last reply of one version to the first of the other.
   */
  private void pass(String from, String to, int instancesOfTo, String what) {
    operator.release(from, to, Step.PREPARE);
    operator.await(to, instancesOfTo, State.STANDBY);
    operator.release(from, to, Step.DRAIN);
    operator.await(from, instancesOf(from), State.DRAINED);
    long begin = System.nanoTime();
    operator.release(from, to, Step.ACTIVATE);
    History.Answer first = traffic.awaitReplyBy(to, begin);
    operator.await(from, instancesOf(from), State.STANDBY);
    operator.release(from, to, Step.VERIFY);
    operator.release(from, to, Step.DONE);
    traffic.awaitReplies(100);
    long last =
        traffic.history(List.of()).answers().stream()
            .filter(answer -> answer.version().equals(from) && answer.at() < first.at())
            .mapToLong(History.Answer::at)
            .max()
            .orElseThrow();
    gap = first.at() - last;
    System.out.printf(
        "Gap %s: %d ms between the replies, %d ms from ACTIVATE to the first%n",
        what,
        TimeUnit.NANOSECONDS.toMillis(gap),
        TimeUnit.NANOSECONDS.toMillis(first.at() - begin));
  }

  private long gap;

  private int instancesOf(String version) {
    return (int)
        operator.reports().values().stream()
            .filter(report -> report.version().equals(version))
            .count();
  }

  @ParameterizedTest
  @CsvSource({"classic, 1, 1", "classic, 2, 2", "consumer, 1, 1", "consumer, 2, 2"})
  void fromBlueToGreenAndBackNothingFailsIsLostOrHandledTwiceAndOrderIsKept(
      String protocol, int blue, int green) throws InterruptedException {
    start("blue", blue, protocol, handler -> handler);
    start("green", green, protocol, handler -> handler);
    operator.await("blue", blue, State.ACTIVE);
    operator.await("green", green, State.STANDBY);
    traffic.awaitReplies(200);

    String what = protocol + ", " + blue + " and " + green;
    pass("blue", "green", green, what + ", on");
    Duration there = Duration.ofNanos(gap);
    pass("green", "blue", blue, what + ", back");
    Duration back = Duration.ofNanos(gap);

    traffic.finish();
    assertThat(instances).allSatisfy(one -> assertThat(one.failure()).isEmpty());
    assertThat(kafka.readAll(service.dead)).isEmpty();
    History history = traffic.history(journals);
    Guarantee.always(history);
    new Guarantee.NothingTwice().judge(history);
    new Guarantee.EveryoneWorked(Set.of("blue-", "green-")).judge(history);
    if (protocol.equals("classic")) {
      // Less than a second on a machine with nothing else to do, and without that care three.
      assertThat(there).isLessThan(Duration.ofSeconds(2));
      assertThat(back).isLessThan(Duration.ofSeconds(2));
    }
  }

  @Test
  void aGreenThatHangsIsGivenUpInFiveSecondsAndBlueHandlesWhatItHad() throws Exception {
    CountDownLatch never = new CountDownLatch(1);
    start("blue", 1, "classic", handler -> handler);
    start(
        "green",
        1,
        "classic",
        handler ->
            request -> {
              never.await();
              return Outcome.reply(500);
            });
    operator.await("green", 1, State.STANDBY);
    traffic.awaitReplies(100);
    operator.release("blue", "green", Step.DRAIN);
    operator.await("blue", 1, State.DRAINED);
    operator.release("blue", "green", Step.ACTIVATE);
    TestService.await()
        .until(
            () ->
                operator.reports().values().stream()
                    .anyMatch(
                        report ->
                            report.version().equals("green") && report.counts().running() > 5));
    operator.release("blue", "green", Step.ROLL_BACK);
    operator.await("green", 1, State.HOLDING);
    long begin = System.nanoTime();
    operator.release("blue", "green", Step.RESTORE);
    History.Answer first = traffic.awaitReplyBy("blue", begin);
    System.out.printf(
        "Gap back from one that hangs: %d ms%n", TimeUnit.NANOSECONDS.toMillis(first.at() - begin));
    assertThat(Duration.ofNanos(first.at() - begin)).isLessThan(Duration.ofSeconds(9));
    operator.await("green", 1, State.STANDBY);
    operator.release("blue", "green", Step.ROLLED_BACK);
    traffic.awaitCaughtUp();
    traffic.finish();
    assertThat(kafka.readAll(service.dead)).isEmpty();
    assertThat(instances).allSatisfy(one -> assertThat(one.failure()).isEmpty());
    assertThat(traffic.history(journals).answers())
        .allSatisfy(answer -> assertThat(answer.version()).isEqualTo("blue"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void aRollingReleaseOfThreeRepeatsNothingAndKeepsOrder(String protocol)
      throws InterruptedException {
    operator.activate(null);
    start("v1", 3, protocol, handler -> handler);
    operator.await("v1", 3, State.ACTIVE);
    traffic.awaitCaughtUp();
    long begin = System.nanoTime();
    traffic.awaitReplies(200);
    for (int i = 0; i < 3; i++) {
      instances.get(i).close();
      traffic.awaitReplies(50);
      String next = "v2-" + i;
      start(next, 1, protocol, handler -> handler);
      long ready = System.nanoTime();
      long first = traffic.awaitReplyBy(next).at();
      System.out.printf(
          "First reply of %s, %s: %d ms after start() returned%n",
          next, protocol, TimeUnit.NANOSECONDS.toMillis(first - ready));
      traffic.awaitReplies(100);
    }
    traffic.finish();
    History history = traffic.history(journals);
    Guarantee.always(history);
    new Guarantee.NothingTwice().judge(history);
    System.out.printf(
        "Gap of the rolling release, %s: longest wait %d ms%n",
        protocol,
        TimeUnit.NANOSECONDS.toMillis(history.sentBetween(begin, Long.MAX_VALUE).longestWait()));
    assertThat(kafka.readAll(service.dead)).isEmpty();
  }
}
