package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.CommitNote;
import dev.tideover.sdk.internal.core.CommitNoteCodec;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestEnvelope;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where a partition goes on, and when it must not go on by itself, on a real broker. */
@KafkaTest
@Timeout(120)
class OffsetsIT {

  private final ConcurrentLinkedQueue<String> handled = new ConcurrentLinkedQueue<>();

  private TideoverConsumer start(TestService service) {
    return service
        .builder()
        .handler(
            request -> {
              handled.add(request.text());
              return Outcome.reply(200);
            })
        .start();
  }

  /** Two partitions with two requests each, handled by an instance that has ended since. */
  private TestService used(TestKafka kafka) {
    TestService service = new TestService(kafka, 2);
    try (TideoverConsumer consumer = start(service)) {
      answerInEach(service, "first");
      answerInEach(service, "second");
      assertThat(consumer.failure()).isEmpty();
    }
    handled.clear();
    return service;
  }

  private static void answerInEach(TestService service, String body) {
    service.awaitReply(service.send(service.onPartition(0, body)));
    service.awaitReply(service.send(service.onPartition(1, body)));
  }

  private static void setOffset(TestService service, int partition, long offset) throws Exception {
    service
        .kafka
        .admin()
        .alterConsumerGroupOffsets(
            service.name, Map.of(service.partition(partition), new OffsetAndMetadata(offset)))
        .all()
        .get(30, TimeUnit.SECONDS);
  }

  @Test
  void theFirstStartEverBeginsWithTheEarliestRequest(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    RequestEnvelope early = service.send(service.request("k", "before anybody was there"));
    try (TideoverConsumer consumer = start(service)) {
      assertThat(service.awaitReply(early).status()).isEqualTo(200);
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"fail-twice", "hang"})
  void afterAKillNothingIsRepeatedThatHadEndedBehindARequestThatHadNot(
      String head, TestKafka kafka, @TempDir Path directory) throws Exception {
    TestService service = new TestService(kafka, 1);
    int behind = 300;
    List<RequestEnvelope> sent = new ArrayList<>();
    sent.add(service.request("head", head));
    for (int n = 0; n < behind; n++) {
      sent.add(service.request("key-" + n % 50, "ok " + n));
    }
    sent.forEach(request -> kafka.producer().send(service.record(request)));
    kafka.producer().flush();
    try (ScriptedProcess first = ScriptedProcess.start(service, directory, OnExhausted.CONTINUE)) {
      TestService.await().until(() -> done(service).equals(Set.of(range(1, behind + 1))));
      assertThat(service.committed(0)).isZero();
      assertThat(first.isAlive()).isTrue();
    }

    try (TideoverConsumer second = start(service)) {
      RequestEnvelope after = service.send(service.request("after", "after"));
      service.awaitReply(after);
      service.awaitReply(sent.get(0));
      TestService.await().until(() -> service.committed(0) == behind + 2);
      assertThat(handled).containsExactlyInAnyOrder(head, "after");
      assertThat(service.replies()).hasSize(behind + 2);
      assertThat(service.replies().values()).allMatch(replies -> replies.size() == 1);
      assertThat(second.failure()).isEmpty();
    }
  }

  private static Set<CommitNote.OffsetRange> done(TestService service) throws Exception {
    OffsetAndMetadata commit = service.commit(0);
    CommitNote note =
        commit == null ? null : CommitNoteCodec.decode(commit.metadata(), commit.offset());
    return note == null ? Set.of() : Set.copyOf(note.done());
  }

  private static CommitNote.OffsetRange range(long from, long to) {
    return new CommitNote.OffsetRange(from, to);
  }

  @Test
  void whereTheOffsetIsLostThePartitionStopsAndSaysSoUntilAnOperatorSetsIt(TestKafka kafka)
      throws Exception {
    TestService service = used(kafka);
    kafka
        .admin()
        .deleteConsumerGroupOffsets(service.name, Set.of(service.partition(0)))
        .all()
        .get(30, TimeUnit.SECONDS);
    RequestEnvelope waiting = service.send(service.onPartition(0, "waiting"));
    try (Logged logged = new Logged();
        TideoverConsumer consumer = start(service)) {
      service.awaitReply(service.send(service.onPartition(1, "other")));
      TestService.await().until(() -> consumer.stoppedPartitions().equals(Set.of(0)));
      assertThat(
              logged.lines(service, ".requests-0 stops: the group has no offset for it any more"))
          .singleElement()
          .asString()
          .contains("the log has 0 to 3", "--reset-offsets");
      assertThat(handled).containsExactly("other");
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
    assertThat(service.committed(0)).isEqualTo(-1);

    setOffset(service, 0, 2);
    try (TideoverConsumer next = start(service)) {
      assertThat(service.awaitReply(waiting).status()).isEqualTo(200);
      assertThat(handled).containsExactly("other", "waiting");
      assertThat(next.stoppedPartitions()).isEmpty();
    }
  }

  @Test
  void whereRecordsWereDeletedThePartitionStopsAndNamesTheLostOnesUntilAnOperatorGoesOn(
      TestKafka kafka) throws Exception {
    TestService service = used(kafka);
    for (int n = 0; n < 3; n++) {
      service.send(service.onPartition(0, "lost"));
    }
    RequestEnvelope kept = service.send(service.onPartition(0, "kept"));
    kafka
        .admin()
        .deleteRecords(Map.of(service.partition(0), RecordsToDelete.beforeOffset(5)))
        .all()
        .get(30, TimeUnit.SECONDS);
    try (Logged logged = new Logged();
        TideoverConsumer consumer = start(service)) {
      service.awaitReply(service.send(service.onPartition(1, "other")));
      TestService.await().until(() -> consumer.stoppedPartitions().equals(Set.of(0)));
      assertThat(logged.lines(service, ".requests-0 stops: requests were deleted"))
          .singleElement()
          .asString()
          .contains("the group is at offset 2, the log begins at 5", "--to-earliest");
      assertThat(handled).containsExactly("other");
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
    assertThat(service.committed(0)).isEqualTo(2);

    setOffset(service, 0, 5);
    try (TideoverConsumer next = start(service)) {
      assertThat(service.awaitReply(kept).status()).isEqualTo(200);
      assertThat(handled).containsExactly("other", "kept");
      assertThat(next.stoppedPartitions()).isEmpty();
    }
  }

  @Test
  void aRecreatedTopicIsNotReadUntilAnOperatorHasBegunItAnew(TestKafka kafka) throws Exception {
    TestService service = used(kafka);
    recreate(service);
    RequestEnvelope waiting = service.send(service.onPartition(0, "waiting"));
    try (Logged logged = new Logged();
        TideoverConsumer consumer = start(service)) {
      TestService.await().until(() -> consumer.stoppedPartitions().equals(Set.of(0, 1)));
      assertThat(logged.lines(service, " stops: the topic has been deleted and created anew"))
          .hasSize(2);
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
      assertThat(handled).isEmpty();
    }

    beginAnew(service);
    try (TideoverConsumer next = start(service)) {
      assertThat(service.awaitReply(waiting).status()).isEqualTo(200);
      assertThat(handled).containsExactly("waiting");
      assertThat(next.stoppedPartitions()).isEmpty();
    }
  }

  @Test
  void aTopicRecreatedMeanwhileStopsTheRunningInstance(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 2);
    List<RequestEnvelope> waiting = new ArrayList<>();
    try (Logged logged = new Logged();
        TideoverConsumer consumer = start(service)) {
      answerInEach(service, "first");
      answerInEach(service, "second");
      TestService.await().until(() -> service.committed(0) == 2 && service.committed(1) == 2);
      recreate(service);
      for (int n = 0; n < 4; n++) {
        waiting.add(service.send(service.onPartition(0, "waiting " + n)));
      }

      TestService.await()
          .atMost(Duration.ofSeconds(10))
          .until(() -> consumer.stoppedPartitions().equals(Set.of(0, 1)));
      assertThat(logged.lines(service, "deleted and created anew")).isNotEmpty();
      // Until it notices it may have gone on from its old offset; from now on it reads nothing.
      handled.clear();
      waiting.add(service.send(service.onPartition(0, "waiting 4")));
      service.send(service.onPartition(1, "waiting elsewhere"));
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
    assertThat(handled).isEmpty();

    beginAnew(service);
    try (TideoverConsumer next = start(service)) {
      for (RequestEnvelope request : waiting) {
        service.awaitReply(request);
      }
      TestService.await().until(() -> service.committed(0) == 5);
      assertThat(handled).contains("waiting 0", "waiting 1", "waiting 2", "waiting 3", "waiting 4");
      assertThat(next.stoppedPartitions()).isEmpty();
    }
  }

  /** What the log tells an operator to do. */
  private static void beginAnew(TestService service) throws Exception {
    var admin = service.kafka.admin();
    admin
        .deleteConsumerGroupOffsets(
            service.name, Set.of(service.partition(0), service.partition(1)))
        .all()
        .get(30, TimeUnit.SECONDS);
    admin.deleteTopics(Set.of(service.name + ".ledger")).all().get(30, TimeUnit.SECONDS);
  }

  private static void recreate(TestService service) throws Exception {
    service.kafka.admin().deleteTopics(Set.of(service.requests)).all().get(30, TimeUnit.SECONDS);
    service.kafka.createTopic(service.requests, 2);
  }
}
