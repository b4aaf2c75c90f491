package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.InstanceReport.State;
import dev.tideover.wire.RequestEnvelope;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What operators want of a service, on a real broker: hold, resume, a rate, another version. */
@KafkaTest
@Timeout(120)
class OperatorIT {

  /** Keeps what it is told, as words. */
  private static final class Told implements ConsumerListener {
    final Queue<String> events = new ConcurrentLinkedQueue<>();

    @Override
    public void stateChanged(ConsumerState from, ConsumerState to) {
      events.add(to.toString());
    }

    @Override
    public void serviceHeld(String reason) {
      events.add("held: " + reason);
    }

    @Override
    public void serviceResumed() {
      events.add("resumed");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void aHeldServiceStartsNothingAlsoAfterARestartAndGoesOnWhenItIsResumed(
      String protocol, TestKafka kafka) {
    TestService service = new TestService(kafka, 2);
    Operator operator = new Operator(kafka, service.name);
    AtomicInteger calls = new AtomicInteger();
    Told told = new Told();
    RequestHandler handler =
        request -> {
          calls.incrementAndGet();
          return Outcome.reply(204);
        };
    List<RequestEnvelope> held = new ArrayList<>();
    try (TideoverConsumer first =
        service.startAlone(
            service
                .builder()
                .property("group.protocol", protocol)
                .handler(handler)
                .listener(told))) {
      service.awaitReply(service.send(service.request("k", "before")));
      operator.await("v1", 1, State.ACTIVE);
      operator.hold(true);
      operator.await("v1", 1, State.DRAINED);
      for (int i = 0; i < 20; i++) {
        held.add(service.send(service.request("k" + i % 3, "" + i)));
      }
      TestService.await().until(() -> !first.headOfLine().isEmpty());
      assertThat(calls).hasValue(1);
    }
    try (TideoverConsumer second =
        service.startAlone(
            service.builder().property("group.protocol", protocol).handler(handler))) {
      TestService.await().until(() -> !second.headOfLine().isEmpty());
      operator.await("v1", 1, State.DRAINED);
      assertThat(calls).hasValue(1);
      assertThat(service.replies()).hasSize(1);

      operator.hold(false);
      held.forEach(service::awaitReply);
      assertThat(calls).hasValue(21);
      operator.await("v1", 1, State.ACTIVE);
    }
    TestService.await().until(() -> operator.reports().isEmpty());
    assertThat(told.events).element(1).asString().startsWith("held: an operator holds");
    assertThat(told.events).doesNotContain("resumed");
  }

  @Test
  void whatRunsWhenAHoldComesIsFinishedAndOnlyThenIsTheInstanceDrained(TestKafka kafka)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    Operator operator = new Operator(kafka, service.name);
    CountDownLatch inHandler = new CountDownLatch(1);
    CountDownLatch finish = new CountDownLatch(1);
    Told told = new Told();
    try (TideoverConsumer consumer =
        service.startAlone(
            service
                .builder()
                .listener(told)
                .handler(
                    request -> {
                      inHandler.countDown();
                      assertThat(finish.await(30, TimeUnit.SECONDS)).isTrue();
                      return Outcome.reply(204);
                    }))) {
      RequestEnvelope running = service.send(service.request("k", "1"));
      assertThat(inHandler.await(30, TimeUnit.SECONDS)).isTrue();
      RequestEnvelope next = service.send(service.request("k", "2"));
      operator.hold(true);
      operator.await("v1", 1, State.HOLDING);
      assertThat(operator.reports().values())
          .allSatisfy(report -> assertThat(report.counts().running()).isEqualTo(1));
      finish.countDown();
      operator.await("v1", 1, State.DRAINED);

      assertThat(service.committed(0)).isEqualTo(1);
      assertThat(service.replies()).containsOnlyKeys(running.id());
      assertThat(operator.heard())
          .filteredOn(report -> report.state() == State.DRAINED)
          .allSatisfy(report -> assertThat(report.epochSeen()).isEqualTo(operator.epoch()));
      operator.hold(false);
      service.awaitReply(next);
      TestService.await().until(() -> told.events.contains("resumed"));
      assertThat(consumer.failure()).isEmpty();
    }
  }

  /** A gateway takes one whose handlers run on and on for one that hangs. */
  @Test
  void whatEndsWhileItLeavesIsReportedToHaveEnded(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    Operator operator = new Operator(kafka, service.name);
    CountDownLatch inHandler = new CountDownLatch(1);
    CountDownLatch finish = new CountDownLatch(1);
    try (TideoverConsumer consumer =
        service.startAlone(
            service
                .builder()
                .handler(
                    request -> {
                      inHandler.countDown();
                      assertThat(finish.await(30, TimeUnit.SECONDS)).isTrue();
                      return Outcome.reply(204);
                    }))) {
      RequestEnvelope running = service.send(service.request("k", "1"));
      assertThat(inHandler.await(30, TimeUnit.SECONDS)).isTrue();
      operator.activate("another");
      TestService.await()
          .until(
              () ->
                  operator.reports().values().stream()
                      .anyMatch(
                          report ->
                              report.state() == State.LEAVING && report.counts().running() == 1));
      finish.countDown();
      operator.await("v1", 1, State.STANDBY);
      assertThat(operator.heard())
          .anyMatch(report -> report.state() == State.LEAVING && report.counts().running() == 0);
      service.awaitReply(running);
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void noMoreStartThanTheRateThatAllInstancesShareAndItCanBeChanged(TestKafka kafka)
      throws Exception {
    TestService service = new TestService(kafka, 4);
    Operator operator = new Operator(kafka, service.name);
    operator.rate(50);
    Queue<Long> starts = new ConcurrentLinkedQueue<>();
    RequestHandler handler =
        request -> {
          starts.add(System.nanoTime());
          return Outcome.reply(204);
        };
    for (int i = 0; i < 600; i++) {
      service.send(service.onPartition(i % 4, "" + i));
    }
    try (TideoverConsumer one = service.builder().handler(handler).start();
        TideoverConsumer two = service.builder().handler(handler).start()) {
      TestService.await().until(() -> one.partitions().size() == 2 && two.partitions().size() == 2);
      long from = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(500);
      long to = from + TimeUnit.SECONDS.toNanos(4);
      TestService.await().until(() -> System.nanoTime() > to);
      long within = starts.stream().filter(at -> at >= from && at < to).count();
      System.out.println("Rate 50/s over 4 s: " + within + " of 200 started");
      assertThat(within).isBetween(160L, 240L);

      operator.rate(0);
      TestService.await().atMost(Duration.ofSeconds(10)).until(() -> starts.size() == 600);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void anInstanceOfAnotherVersionStandsByOutsideTheGroupUntilItIsItsTurn(
      String protocol, TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 2);
    Operator operator = new Operator(kafka, service.name);
    operator.activate("v1");
    AtomicInteger calls = new AtomicInteger();
    Told told = new Told();
    try (TideoverConsumer green =
        service
            .builder()
            .version("v2")
            .instance("green-1")
            .property("group.protocol", protocol)
            .listener(told)
            .handler(
                request -> {
                  calls.incrementAndGet();
                  return Outcome.reply(204);
                })
            .start()) {
      assertThat(green.state()).isEqualTo(ConsumerState.STANDBY);
      operator.await("v2", 1, State.STANDBY);
      RequestEnvelope request = service.send(service.request("k", "1"));
      assertThat(green.awaitAssignment(Duration.ofSeconds(1))).isFalse();
      assertThat(inGroup(service)).isEmpty();
      assertThat(calls).hasValue(0);

      operator.activate("v2");
      service.awaitReply(request);
      assertThat(green.state()).isEqualTo(ConsumerState.RUNNING);
      operator.await("v2", 1, State.ACTIVE);
      assertThat(inGroup(service)).containsExactly(service.name + "-green-1");

      operator.activate("v1");
      operator.await("v2", 1, State.STANDBY);
      assertThat(green.state()).isEqualTo(ConsumerState.STANDBY);
      assertThat(green.partitions()).isEmpty();
      assertThat(inGroup(service)).isEmpty();
      RequestEnvelope second = service.send(service.request("k", "2"));
      operator.activate(null);
      service.awaitReply(second);
      // Of both times that it was active.
      TestService.await()
          .until(
              () ->
                  operator.reports().values().stream()
                      .anyMatch(report -> report.counts().handled() == 2));
    }
    assertThat(told.events)
        .containsExactly("STANDBY", "RUNNING", "STANDBY", "RUNNING", "DRAINING", "CLOSED");
    assertThat(operator.reports()).isEmpty();
    assertThat(operator.heard())
        .extracting(InstanceReport::incarnation)
        .containsOnly(operator.heard().get(0).incarnation());
  }

  @Test
  void oneThatStandsByClosesAtOnce(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    Operator operator = new Operator(kafka, service.name);
    operator.activate("v1");
    TideoverConsumer green =
        service.builder().version("v2").handler(request -> Outcome.reply(204)).start();
    operator.await("v2", 1, State.STANDBY);
    long before = System.nanoTime();
    green.close();
    assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(3));
    assertThat(green.state()).isEqualTo(ConsumerState.CLOSED);
    assertThat(operator.reports()).isEmpty();
  }

  /** It waits for the other version, which has no instance, to join. */
  @Test
  void oneThatIsLeavingClosesAtOnce(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    Operator operator = new Operator(kafka, service.name);
    TideoverConsumer blue =
        service.startAlone(service.builder().handler(request -> Outcome.reply(204)));
    operator.await("v1", 1, State.ACTIVE);
    operator.activate("v2");
    operator.await("v1", 1, State.LEAVING);
    long before = System.nanoTime();
    blue.close();
    assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofMillis(2_500));
    assertThat(blue.state()).isEqualTo(ConsumerState.CLOSED);
    assertThat(blue.failure()).isEmpty();
    assertThat(operator.reports()).isEmpty();
  }

  /** The names of the group's members. */
  private static Set<String> inGroup(TestService service) throws Exception {
    try {
      return service
          .kafka
          .admin()
          .describeConsumerGroups(Set.of(service.name))
          .all()
          .get(30, TimeUnit.SECONDS)
          .get(service.name)
          .members()
          .stream()
          .map(member -> member.groupInstanceId().orElse(""))
          .collect(Collectors.toSet());
    } catch (ExecutionException failed) {
      assertThat(failed).hasCauseInstanceOf(GroupIdNotFoundException.class);
      return Set.of();
    }
  }
}
