package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.testkit.KafkaExtension;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** Looks for requests in the log of a real broker; passes are counted. */
@ExtendWith(KafkaExtension.class)
@Timeout(120)
class RequestSearchIT {

  private static final Duration LIMIT = Duration.ofSeconds(20);

  private final Instant now = Instant.now();
  private TestKafka kafka;
  private String topic;
  private GatewayConfig config;
  private RequestSearch search;

  @BeforeEach
  void start(TestKafka kafka) {
    this.kafka = kafka;
    String service = kafka.uniqueName("svc");
    topic = kafka.createTopic(service + ".requests", 2);
    config = TestConfig.of(kafka.bootstrapServers(), service, 2, "7d");
    search = RequestSearch.create(config, LIMIT);
  }

  @AfterEach
  void close() {
    search.close();
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // An array of a generic type.
  private List<RequestId> produce(int number, Instant timestamp) {
    List<RequestId> ids = new ArrayList<>();
    ProducerRecord<byte[], byte[]>[] records = new ProducerRecord[number];
    for (int i = 0; i < number; i++) {
      ids.add(RequestId.random());
      records[i] =
          new ProducerRecord<>(topic, 0, timestamp.toEpochMilli(), new byte[] {1}, new byte[100]);
      records[i].headers().add("tideover-id", ids.get(i).toString().getBytes(UTF_8));
    }
    kafka.produce(records);
    return ids;
  }

  private CompletableFuture<OptionalLong> ask(int partition, RequestId id, Instant acceptedAt) {
    CompletionStage<OptionalLong> answer = search.find(topic, partition, id, acceptedAt);
    return answer.toCompletableFuture();
  }

  private static OptionalLong get(CompletableFuture<OptionalLong> answer) throws Exception {
    return answer.get(30, TimeUnit.SECONDS);
  }

  @Test
  void aThousandQuestionsOverTenThousandRequestsTakeOnePass() throws Exception {
    List<RequestId> ids = produce(10_000, now);
    Map<RequestId, CompletableFuture<OptionalLong>> there = new HashMap<>();
    Map<RequestId, CompletableFuture<OptionalLong>> missing = new HashMap<>();
    for (int i = 0; i < 500; i++) {
      there.put(ids.get(i * 20), ask(0, ids.get(i * 20), now));
      RequestId absent = RequestId.random();
      missing.put(absent, ask(0, absent, now));
    }

    search.runOnce();

    assertThat(search.passes()).isEqualTo(1);
    for (int i = 0; i < 500; i++) {
      assertThat(there.get(ids.get(i * 20))).isCompletedWithValue(OptionalLong.of(i * 20));
    }
    assertThat(missing.values())
        .allSatisfy(answer -> assertThat(answer).isCompletedWithValue(OptionalLong.empty()));
  }

  @Test
  void whatWasFoundIsRememberedAndWhatWasNotIsLookedForOnlyInWhatIsNew() throws Exception {
    List<RequestId> ids = produce(10, now);
    RequestId absent = RequestId.random();
    CompletableFuture<OptionalLong> first = ask(0, absent, now);
    ask(0, ids.get(3), now);
    search.runOnce();
    assertThat(get(first)).isEmpty();
    assertThat(ask(0, ids.get(3), now)).isCompletedWithValue(OptionalLong.of(3));

    CompletableFuture<OptionalLong> second = ask(0, absent, now);
    search.runOnce();
    assertThat(get(second)).isEmpty();
    assertThat(search.passes()).as("nothing was new").isEqualTo(1);

    ProducerRecord<byte[], byte[]> late =
        new ProducerRecord<>(topic, 0, new byte[] {1}, new byte[] {1});
    late.headers().add("tideover-id", absent.toString().getBytes(UTF_8));
    kafka.produce(late);
    CompletableFuture<OptionalLong> third = ask(0, absent, now);
    search.runOnce();
    assertThat(get(third)).hasValue(10);
  }

  @Test
  void theSameRequestAskedForTwiceIsAnsweredTwice() throws Exception {
    List<RequestId> ids = produce(2, now);
    CompletableFuture<OptionalLong> one = ask(0, ids.get(1), now);
    CompletableFuture<OptionalLong> two = ask(0, ids.get(1), now);
    search.runOnce();

    assertThat(get(one)).hasValue(1);
    assertThat(get(two)).hasValue(1);
  }

  @Test
  void anotherPartitionOrATimeFarAwayIsAnotherPass() throws Exception {
    List<RequestId> old = produce(5, now.minus(Duration.ofHours(5)));
    List<RequestId> young = produce(5, now);
    CompletableFuture<OptionalLong> first = ask(0, old.get(2), now.minus(Duration.ofHours(5)));
    CompletableFuture<OptionalLong> second = ask(0, young.get(2), now);
    CompletableFuture<OptionalLong> third = ask(1, young.get(2), now);

    search.runOnce();
    assertThat(get(first)).hasValue(2);
    assertThat(second).isNotDone();
    search.runOnce();
    assertThat(get(second)).hasValue(7);
    search.runOnce();
    assertThat(get(third)).isEmpty();
  }

  @Test
  void onlyTheTimeInWhichItCanBeThereIsLookedThrough() throws Exception {
    RequestId before = produce(1, now.minus(Duration.ofMinutes(2))).get(0);
    RequestId within = produce(1, now.plus(Duration.ofMinutes(10))).get(0);
    RequestId after = produce(1, now.plus(Duration.ofMinutes(11))).get(0);
    List<CompletableFuture<OptionalLong>> answers =
        List.of(ask(0, before, now), ask(0, within, now), ask(0, after, now));
    search.runOnce();

    assertThat(get(answers.get(0))).isEmpty();
    assertThat(get(answers.get(1))).hasValue(1);
    assertThat(get(answers.get(2))).isEmpty();
  }

  @Test
  void recordsWithoutAnIdOrWithAGarbledOneArePassedOver() throws Exception {
    ProducerRecord<byte[], byte[]> garbled =
        new ProducerRecord<>(topic, 0, new byte[] {1}, new byte[] {1});
    garbled.headers().add("tideover-id", new byte[] {(byte) 0xC3});
    ProducerRecord<byte[], byte[]> nothing =
        new ProducerRecord<>(topic, 0, new byte[] {1}, new byte[] {1});
    nothing.headers().add("tideover-id", null);
    kafka.produce(garbled, nothing, new ProducerRecord<>(topic, 0, null, new byte[] {1}));
    RequestId id = produce(1, now).get(0);
    CompletableFuture<OptionalLong> answer = ask(0, id, now);
    search.runOnce();

    assertThat(get(answer)).hasValue(3);
  }

  @Test
  void aLogWhoseBeginIsGoneIsReadFromWhatIsLeft() throws Exception {
    List<RequestId> ids = produce(10, now);
    kafka
        .admin()
        .deleteRecords(Map.of(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(4)))
        .all()
        .get(20, TimeUnit.SECONDS);
    CompletableFuture<OptionalLong> gone = ask(0, ids.get(3), now);
    CompletableFuture<OptionalLong> left = ask(0, ids.get(4), now);
    search.runOnce();

    assertThat(get(gone)).isEmpty();
    assertThat(get(left)).hasValue(4);
  }

  @Test
  void beyondTenThousandQuestionsOneIsRefusedAtOnce() {
    for (int i = 0; i < RequestSearch.MAX_QUESTIONS; i++) {
      assertThat(ask(0, RequestId.random(), now)).isNotDone();
    }

    assertThatThrownBy(() -> get(ask(0, RequestId.random(), now)))
        .isInstanceOf(ExecutionException.class)
        .cause()
        .isInstanceOf(KafkaUnavailableException.class)
        .hasMessageContaining("10000 other requests");
  }

  @Test
  void theCloseFailsWhoWaitsAndWhoComesLater() {
    CompletableFuture<OptionalLong> waiting = ask(0, RequestId.random(), now);
    search.close();

    assertThat(waiting).isCompletedExceptionally();
    assertThat(ask(0, RequestId.random(), now)).isCompletedExceptionally();
    search = RequestSearch.start(config);
  }

  @Test
  void itSearchesByItself() throws Exception {
    try (RequestSearch running = RequestSearch.start(config)) {
      List<RequestId> ids = produce(3, now);

      CompletableFuture<OptionalLong> found =
          running.find(topic, 0, ids.get(1), now).toCompletableFuture();
      assertThat(get(found)).hasValue(1);
    }
  }

  @Test
  void whatCannotBeReadInTimeFails() throws Exception {
    try (RequestSearch hasty = RequestSearch.create(config, Duration.ZERO)) {
      CompletableFuture<OptionalLong> late =
          hasty.find(topic, 0, RequestId.random(), now).toCompletableFuture();
      hasty.runOnce();

      assertThatThrownBy(() -> get(late))
          .cause()
          .isInstanceOf(KafkaUnavailableException.class)
          .hasMessageContaining("is not known: its log could not be read in time");
    }
  }
}
