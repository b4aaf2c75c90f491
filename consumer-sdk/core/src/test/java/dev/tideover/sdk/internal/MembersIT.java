package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.RequestId;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Instances hear each other and remove one that has fallen silent, with processes that are killed.
 */
@Tag("long")
@KafkaTest
@Timeout(180)
class MembersIT {

  private final List<AutoCloseable> opened = new ArrayList<>();
  private final Queue<Cancellation> heard = new ConcurrentLinkedQueue<>();
  private String service;

  @BeforeEach
  void topics(TestKafka kafka) {
    createTopics(kafka);
  }

  private void createTopics(TestKafka kafka) {
    service = kafka.uniqueName("orders");
    kafka.createTopic(service + ".requests", 2);
    kafka.createTopic(service + ".members", 1);
  }

  @AfterEach
  void close() throws Exception {
    for (int i = opened.size() - 1; i >= 0; i--) {
      opened.get(i).close();
    }
  }

  private Members start(TestKafka kafka, String instance, boolean waiting) {
    Members members =
        Members.listen(
            TestSettings.of(kafka.bootstrapServers(), service, instance),
            "run-of-" + instance,
            kafka.producer()::send,
            heard::add,
            () -> waiting);
    members.speak();
    opened.add(members);
    return members;
  }

  private MemberProcess process(TestKafka kafka, String instance, String protocol, Path directory)
      throws Exception {
    MemberProcess process =
        MemberProcess.start(
            kafka.bootstrapServers(), service, instance, protocol, directory.resolve(instance));
    opened.add(process);
    return process;
  }

  private static ConditionFactory await() {
    return Awaitility.await().atMost(Duration.ofSeconds(40)).pollInterval(Duration.ofMillis(10));
  }

  /** None where there is no such group, which is so until its first member joins. */
  private Collection<MemberDescription> group(TestKafka kafka) throws Exception {
    try {
      return kafka
          .admin()
          .describeConsumerGroups(List.of(service))
          .all()
          .get(20, TimeUnit.SECONDS)
          .get(service)
          .members();
    } catch (ExecutionException failed) {
      assertThat(failed).hasCauseInstanceOf(GroupIdNotFoundException.class);
      return List.of();
    }
  }

  private Set<String> inGroup(TestKafka kafka) throws Exception {
    return group(kafka).stream()
        .map(member -> member.groupInstanceId().orElse(""))
        .collect(Collectors.toSet());
  }

  @Test
  void instancesHearEachOtherAndTheirLastWords(TestKafka kafka) throws Exception {
    Members one = start(kafka, "one", false);
    Members two = start(kafka, "two", false);
    assertThat(one.awaitHeardAll(Duration.ofSeconds(20))).isTrue();
    await().until(() -> one.alive().equals(Set.of("run-of-one", "run-of-two")));
    assertThat(two.awaitHeardAll(Duration.ofSeconds(20))).isTrue();
    assertThat(two.alive()).containsExactlyInAnyOrder("run-of-one", "run-of-two");

    long closing = System.nanoTime();
    two.close();
    await().until(() -> one.alive().equals(Set.of("run-of-one")));
    assertThat(Duration.ofNanos(System.nanoTime() - closing)).isLessThan(Duration.ofSeconds(5));

    List<ConsumerRecord<byte[], byte[]>> records = kafka.readAll(service + ".members");
    ConsumerRecord<byte[], byte[]> anyOfOne =
        records.stream()
            .filter(record -> new String(record.key(), UTF_8).equals(service + "-one"))
            .findFirst()
            .orElseThrow();
    assertThat(anyOfOne.headers().toArray())
        .extracting(header -> header.key() + "=" + new String(header.value(), UTF_8))
        .containsExactly(
            "tideover-v=1",
            "tideover-by=" + service + "/v1/one",
            "tideover-incarnation=run-of-one",
            "tideover-state=alive");
    assertThat(records)
        .filteredOn(record -> new String(record.key(), UTF_8).endsWith("-two"))
        .last()
        .satisfies(
            last ->
                assertThat(new String(last.headers().lastHeader("tideover-state").value(), UTF_8))
                    .isEqualTo("leaving"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void aKilledInstanceIsRemovedSoon(String protocol, TestKafka kafka, @TempDir Path directory)
      throws Exception {
    Members members = start(kafka, "one", false);
    MemberProcess other = process(kafka, "two", protocol, directory);
    await().until(() -> inGroup(kafka).equals(Set.of(service + "-two")));
    await().until(() -> members.alive().size() == 2);
    assertThat(members.awaitHeardAll(Duration.ofSeconds(20))).isTrue();
    Awaitility.await()
        .during(Duration.ofSeconds(2))
        .atMost(Duration.ofSeconds(10))
        .until(() -> inGroup(kafka).size() == 1);

    long killed = System.nanoTime();
    other.kill();
    await().until(() -> inGroup(kafka).isEmpty());

    Duration gap = Duration.ofNanos(System.nanoTime() - killed);
    System.out.println("From SIGKILL to the removal, " + protocol + ": " + gap.toMillis() + " ms");
    assertThat(members.alive()).containsExactly("run-of-one");
    // The session timeout is 30 s, so nothing else can have been faster.
    assertThat(gap).isLessThan(Duration.ofSeconds(10));
  }

  @Test
  void anInstanceThatWaitsRemovesADeadPredecessorThatItNeverHeard(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    MemberProcess dead = process(kafka, "dead", "classic", directory);
    await().until(() -> inGroup(kafka).equals(Set.of(service + "-dead")));
    dead.kill();

    long started = System.nanoTime();
    start(kafka, "one", true);
    await().until(() -> inGroup(kafka).isEmpty());
    Duration gap = Duration.ofNanos(System.nanoTime() - started);
    System.out.println("From the start to the predecessor's removal: " + gap.toMillis() + " ms");
    assertThat(gap).isLessThan(Duration.ofSeconds(10));
  }

  @Test
  void aNameIsReleasedOnceItsOtherRunIsDead(TestKafka kafka, @TempDir Path directory)
      throws Exception {
    MemberProcess older = process(kafka, "one", "consumer", directory);
    await().until(() -> inGroup(kafka).equals(Set.of(service + "-one")));
    Members newer = start(kafka, "one", true);
    // A process that is only just starting may be in the group before it is heard.
    await().until(() -> newer.alive().size() == 2);

    assertThat(newer.releaseName(Duration.ofSeconds(4))).isFalse();
    assertThat(inGroup(kafka)).containsExactly(service + "-one");

    older.kill();
    assertThat(newer.releaseName(Duration.ofSeconds(30))).isTrue();
    assertThat(inGroup(kafka)).isEmpty();
  }

  @Test
  void anInstanceThatStoodStillIsRemovedAndHeardAgainWhenItGoesOn(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    Members members = start(kafka, "one", false);
    MemberProcess other = process(kafka, "two", "classic", directory);
    await().until(() -> inGroup(kafka).equals(Set.of(service + "-two")));
    await().until(() -> members.alive().size() == 2);

    other.signal("STOP");
    await().until(() -> inGroup(kafka).isEmpty());
    assertThat(members.alive()).hasSize(1);
    other.signal("CONT");
    await().until(() -> members.alive().size() == 2);
  }

  @Test
  void aFrozenBrokerRemovesNobody(@TempDir Path directory) throws Exception {
    try (BrokerProcess broker = BrokerProcess.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      createTopics(kafka);
      Members members = start(kafka, "one", true);
      MemberProcess other = process(kafka, "two", "classic", directory);
      await().until(() -> inGroup(kafka).equals(Set.of(service + "-two")));
      String member = memberId(kafka);
      await().until(() -> members.alive().size() == 2);
      assertThat(members.awaitHeardAll(Duration.ofSeconds(20))).isTrue();

      broker.freeze();
      // Meant to pass: the time that the broker stands still.
      Awaitility.await()
          .during(Duration.ofSeconds(3))
          .atMost(Duration.ofSeconds(10))
          .until(() -> members.alive().size() == 2);
      broker.thaw();

      Awaitility.await()
          .pollInterval(Duration.ofMillis(100))
          .during(Duration.ofSeconds(5))
          .atMost(Duration.ofSeconds(20))
          .until(() -> memberId(kafka).equals(member) && members.alive().size() == 2);
      members.close();
      other.close();
    }
  }

  /** Another one after a removal, even if the instance joins again at once. */
  private String memberId(TestKafka kafka) throws Exception {
    return group(kafka).stream().map(MemberDescription::consumerId).collect(Collectors.joining());
  }

  @Test
  void aCancellationIsHeardFromTheTimeOnWhenItSaysThatItListens(TestKafka kafka) throws Exception {
    Members members = start(kafka, "one", false);
    assertThat(members.awaitListening(Duration.ofSeconds(20))).isTrue();
    Cancellation cancellation = new Cancellation(1, 17, RequestId.random());

    kafka.produce(cancellation.toMembers(service + ".members"));

    await().until(() -> heard.contains(cancellation));
    assertThat(members.awaitHeardAll(Duration.ofSeconds(20))).isTrue();
    assertThat(members.alive()).containsExactly("run-of-one");
  }

  @Test
  void whereTheTopicIsMissingItEndsInTimeAllTheSame(TestKafka kafka) throws Exception {
    service = kafka.uniqueName("nobody");
    Members members =
        Members.listen(
            TestSettings.of(
                kafka.bootstrapServers(), service, "one", Map.of(), Duration.ofSeconds(1)),
            "run",
            record -> {
              throw new IllegalStateException("nobody takes it");
            },
            cancellation -> {},
            () -> true);
    members.speak();
    assertThat(members.awaitHeardAll(Duration.ofSeconds(2))).isFalse();
    assertThat(members.alive()).containsExactly("run");
    long closing = System.nanoTime();
    members.close();
    assertThat(Duration.ofNanos(System.nanoTime() - closing)).isLessThan(Duration.ofSeconds(6));
  }
}
