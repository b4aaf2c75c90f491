package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What becomes of one request, on a real broker. */
@KafkaTest
@Timeout(120)
class RequestsIT {

  record Order(String item, Instant at) {}

  @Test
  void theReplyGoesExactlyWhereTheRequestSaysWithEveryHeaderOfTheContract(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    byte[] answer = {0, 1, 2, (byte) 0xFF};
    AtomicReference<Request> seen = new AtomicReference<>();
    RequestEnvelope sent =
        service.request(
            "customer-1", HttpFields.of("accept", "a", "accept", "b"), new byte[] {0, -1}, null);
    try (TideoverConsumer consumer =
        service
            .builder()
            .instance("orders-1")
            .handler(
                request -> {
                  seen.set(request);
                  return Outcome.reply(201)
                      .header("Set-Cookie", "a=1")
                      .header("Set-Cookie", "b=2")
                      .header("Transfer-Encoding", "chunked")
                      .body("application/octet-stream", answer);
                })
            .start()) {
      service.send(sent);
      service.awaitReply(sent);

      List<ConsumerRecord<byte[], byte[]>> records = kafka.readAll(service.replies);
      assertThat(records).hasSize(1);
      ConsumerRecord<byte[], byte[]> record = records.get(0);
      assertThat(record.partition()).isEqualTo(sent.replyTo().partition());
      assertThat(new String(record.key(), UTF_8)).isEqualTo(sent.id().toString());
      assertThat(record.value()).isEqualTo(answer);
      List<String> lines = new ArrayList<>();
      for (Header header : record.headers()) {
        String value = new String(header.value(), UTF_8);
        boolean took = header.key().equals("tideover-took");
        lines.add(header.key() + "=" + (took && value.matches("[1-9][0-9]*") ? "some" : value));
      }
      assertThat(lines)
          .containsExactly(
              "tideover-v=1",
              "tideover-id=" + sent.id(),
              "tideover-fingerprint=" + sent.fingerprint(),
              "tideover-outcome=completed",
              "tideover-by=" + service.name + "/v1/orders-1",
              "tideover-attempts=1",
              "tideover-accepted-at=" + sent.acceptedAt().toEpochMilli(),
              "tideover-took=some",
              ":status=201",
              "set-cookie=a=1",
              "set-cookie=b=2",
              "content-type=application/octet-stream");
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
    Request request = seen.get();
    assertThat(request.id()).isEqualTo(sent.id().toString());
    assertThat(request.method()).isEqualTo("POST");
    assertThat(request.path()).isEqualTo("/orders");
    assertThat(request.query()).contains("q=1");
    assertThat(request.headers("ACCEPT")).containsExactly("a", "b");
    assertThat(request.body()).isEqualTo(sent.body());
    assertThat(request.orderingKey()).contains("customer-1");
    assertThat(request.attempt()).isEqualTo(1);
    assertThat(request.acceptedAt()).isEqualTo(sent.acceptedAt());
    assertThat(request.offset()).isZero();
  }

  @Test
  void jsonIsReadAndWrittenJavaTimeIncluded(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service
            .builder()
            .handler(request -> Outcome.reply(200).json(request.json(Order.class)))
            .start()) {
      RequestEnvelope good =
          service.send(
              service.request(null, "{\"item\":\"tea\",\"at\":\"2026-11-24T00:00:00Z\",\"x\":1}"));
      RequestEnvelope bad = service.send(service.request(null, "{\"item\":"));

      assertThat(new String(service.awaitReply(good).body(), UTF_8))
          .isEqualTo("{\"item\":\"tea\",\"at\":\"2026-11-24T00:00:00Z\"}");
      ReplyEnvelope refused = service.awaitReply(bad);
      assertThat(refused.status()).isEqualTo(400);
      assertThat(refused.attempts()).isEqualTo(1);
      assertThat(refused.fields().first("content-type")).isEqualTo("application/problem+json");
      assertThat(new String(refused.body(), UTF_8))
          .contains("\"code\":\"malformed-body\"", bad.id().toString());
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void aFailedRequestIsTriedAgainInItsPlaceWhileOtherKeysGoOn(TestKafka kafka)
      throws InterruptedException {
    TestService service = new TestService(kafka, 1);
    ConcurrentLinkedQueue<String> handled = new ConcurrentLinkedQueue<>();
    CountDownLatch otherDone = new CountDownLatch(1);
    try (TideoverConsumer consumer =
        service
            .builder()
            .handler(
                request -> {
                  handled.add(request.text() + "#" + request.attempt());
                  if (request.text().equals("a1") && request.attempt() == 1) {
                    throw new IllegalStateException("not yet");
                  }
                  if (request.text().equals("a1") && request.attempt() == 2) {
                    // The other key gets through while this one is at its second attempt.
                    assertThat(otherDone.await(20, TimeUnit.SECONDS)).isTrue();
                    return Outcome.retry(Duration.ofMillis(1));
                  }
                  if (request.text().equals("b1")) {
                    otherDone.countDown();
                  }
                  return Outcome.reply(204);
                })
            .start()) {
      RequestEnvelope first = service.request("a", "a1");
      RequestEnvelope second = service.request("a", "a2");
      RequestEnvelope other = service.request("b", "b1");
      kafka.produce(service.record(first), service.record(second), service.record(other));

      assertThat(service.awaitReply(first).attempts()).isEqualTo(3);
      assertThat(service.awaitReply(second).attempts()).isEqualTo(1);
      assertThat(service.awaitReply(other).attempts()).isEqualTo(1);
      assertThat(handled.stream().filter(entry -> entry.startsWith("a")).toList())
          .containsExactly("a1#1", "a1#2", "a1#3", "a2#1");
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void afterTheLastAttemptTheBytesAreInTheDeadLetterTopicAndTheClientIsTold(TestKafka kafka)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    AtomicInteger calls = new AtomicInteger();
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(3)
            .handler(
                request -> {
                  request.body()[0] = 'X'; // its own copy
                  if (calls.incrementAndGet() == 2) {
                    throw new AssertionError("an Error is a failed attempt as well");
                  }
                  throw new IllegalStateException("broken");
                })
            .start()) {
      RequestEnvelope sent = service.send(service.request("k", "{\"n\":1}"));
      ReplyEnvelope reply = service.awaitReply(sent);

      assertThat(reply.outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(reply.attempts()).isEqualTo(3);
      assertThat(calls).hasValue(3);
      ConsumerRecord<byte[], byte[]> request = kafka.readAll(service.requests).get(0);
      ConsumerRecord<byte[], byte[]> dead = kafka.readAll(service.dead).get(0);
      assertThat(dead.key()).isEqualTo(request.key());
      assertThat(dead.value()).isEqualTo(request.value());
      Header[] original = request.headers().toArray();
      Header[] headers = dead.headers().toArray();
      assertThat(List.of(headers).subList(0, original.length)).containsExactly(original);
      assertThat(text(dead, "tideover-dead-reason")).isEqualTo("failed");
      assertThat(text(dead, "tideover-dead-error")).contains("broken");
      assertThat(text(dead, "tideover-dead-attempts")).isEqualTo("3");
      assertThat(text(dead, "tideover-dead-source")).isEqualTo(service.requests + "/0/0");
      assertThat(text(dead, "tideover-dead-by")).startsWith(service.name + "/v1/");
      TestService.await().until(() -> service.committed(0) == 1);
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void aHandlerCanMakeADeadLetterAtOnceAndMayNotReturnNull(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(1)
            .handler(
                request ->
                    request.text().equals("null") ? null : Outcome.deadLetter("no such item"))
            .start()) {
      RequestEnvelope refused = service.send(service.request(null, "refused"));
      assertThat(service.awaitReply(refused).outcome()).isEqualTo(ReplyOutcome.DEAD);
      RequestEnvelope nothing = service.send(service.request(null, "null"));
      assertThat(service.awaitReply(nothing).outcome()).isEqualTo(ReplyOutcome.DEAD);

      List<ConsumerRecord<byte[], byte[]>> dead = kafka.readAll(service.dead);
      assertThat(text(dead.get(0), "tideover-dead-reason")).isEqualTo("rejected");
      assertThat(text(dead.get(0), "tideover-dead-error")).isEqualTo("no such item");
      assertThat(text(dead.get(1), "tideover-dead-error")).contains("the handler returned null");
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void anExpiredRequestIsNotHandledAndItsClientIsTold(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    ConcurrentLinkedQueue<String> handled = new ConcurrentLinkedQueue<>();
    try (TideoverConsumer consumer =
        service
            .builder()
            .handler(
                request -> {
                  handled.add(request.text());
                  assertThat(request.remaining()).isPresent();
                  return Outcome.reply(204);
                })
            .start()) {
      Instant now = Instant.ofEpochMilli(System.currentTimeMillis());
      RequestEnvelope late = service.send(service.request("k", "late", now.minusSeconds(1)));
      RequestEnvelope early = service.send(service.request("k", "early", now.plusSeconds(60)));

      assertThat(service.awaitReply(early).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      ReplyEnvelope expired = service.awaitReply(late);
      assertThat(expired.outcome()).isEqualTo(ReplyOutcome.EXPIRED);
      assertThat(expired.attempts()).isZero();
      assertThat(handled).containsExactly("early");
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void aMalformedRecordIsADeadLetterAndTheOthersGoOn(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service.builder().handler(request -> Outcome.reply(204)).start()) {
      var malformed = service.record(service.request("k", "garbled"));
      malformed.headers().remove(":method");
      RequestEnvelope good = service.request("k", "good");
      kafka.produce(malformed, service.record(good));

      service.awaitReply(good);
      TestService.await().until(() -> service.committed(0) == 2);
      ConsumerRecord<byte[], byte[]> dead = kafka.readAll(service.dead).get(0);
      assertThat(dead.value()).isEqualTo("garbled".getBytes(UTF_8));
      assertThat(text(dead, "tideover-dead-reason")).isEqualTo("malformed");
      assertThat(text(dead, "tideover-dead-error")).contains(":method");
      assertThat(service.replies()).hasSize(1);
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void anUnknownVersionStopsItsPartitionAndNoOther(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 2);
    try (TideoverConsumer consumer =
        service.builder().handler(request -> Outcome.reply(204)).start()) {
      RequestEnvelope before = onPartition(service, 0, "before");
      var future = service.record(onPartition(service, 0, "future"));
      future.headers().remove("tideover-v").add("tideover-v", "2".getBytes(UTF_8));
      RequestEnvelope behind = onPartition(service, 0, "behind");
      RequestEnvelope other = onPartition(service, 1, "other");
      kafka.produce(service.record(before), future, service.record(behind), service.record(other));

      service.awaitReply(before);
      service.awaitReply(other);
      TestService.await().until(() -> consumer.stoppedPartitions().equals(java.util.Set.of(0)));
      RequestEnvelope more = service.send(onPartition(service, 1, "more"));
      service.awaitReply(more);
      TestService.await().until(() -> service.committed(0) == 1 && service.committed(1) == 2);
      assertThat(service.replies()).doesNotContainKey(behind.id());
      assertThat(kafka.readAll(service.dead)).isEmpty();
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void aRequestThatWantsItsReplyInAForeignTopicIsNotHandled(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    String foreign = kafka.createTopic(kafka.uniqueName("payroll"), 1);
    AtomicInteger calls = new AtomicInteger();
    try (TideoverConsumer consumer =
        service
            .builder()
            .handler(
                request -> {
                  calls.incrementAndGet();
                  return Outcome.reply(204);
                })
            .start()) {
      var hostile = service.record(service.request(null, "hostile"));
      hostile
          .headers()
          .remove("tideover-reply-to")
          .add("tideover-reply-to", (foreign + "/0").getBytes(UTF_8));
      kafka.produce(hostile);

      TestService.await().until(() -> !kafka.readAll(service.dead).isEmpty());
      assertThat(text(kafka.readAll(service.dead).get(0), "tideover-dead-reason"))
          .isEqualTo("reply-address");
      assertThat(kafka.readAll(foreign)).isEmpty();
      assertThat(calls).hasValue(0);
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void withoutNamesAReplyTopicMayHaveAnyNameButThatOfAQueue(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        Tideover.service(service.name)
            .bootstrapServers(kafka.bootstrapServers())
            .handler(request -> Outcome.reply(204))
            .start()) {
      service.awaitReply(service.send(service.request(null, "usual")));
      var hostile = service.record(service.request(null, "hostile"));
      hostile
          .headers()
          .remove("tideover-reply-to")
          .add("tideover-reply-to", (service.requests + "/0").getBytes(UTF_8));
      kafka.produce(hostile);

      TestService.await().until(() -> !kafka.readAll(service.dead).isEmpty());
      assertThat(text(kafka.readAll(service.dead).get(0), "tideover-dead-reason"))
          .isEqualTo("reply-address");
      assertThat(kafka.readAll(service.requests)).hasSize(2);
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void aReplyPartitionAddedMeanwhileIsFoundBeforeItsRequestIsGivenUp(TestKafka kafka)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service.builder().handler(request -> Outcome.reply(204)).start()) {
      int added = TestService.REPLY_PARTITIONS;
      kafka
          .admin()
          .createPartitions(Map.of(service.replies, NewPartitions.increaseTo(added + 1)))
          .all()
          .get(30, TimeUnit.SECONDS);
      var record = service.record(service.request(null, "1"));
      record
          .headers()
          .remove("tideover-reply-to")
          .add("tideover-reply-to", (service.replies + "/" + added).getBytes(UTF_8));
      kafka.produce(record);

      TestService.await().until(() -> !kafka.readAll(service.replies).isEmpty());
      assertThat(kafka.readAll(service.replies).get(0).partition()).isEqualTo(added);
      assertThat(kafka.readAll(service.dead)).isEmpty();
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void aReplyTooLargeForItsTopicIsReplacedBySmallNews(TestKafka kafka) {
    TestService service = new TestService(kafka, 1, Map.of("max.message.bytes", "10000"));
    try (TideoverConsumer consumer =
        service
            .builder()
            .handler(
                request -> Outcome.reply(200).text("x".repeat(Integer.parseInt(request.text()))))
            .start()) {
      RequestEnvelope large = service.send(service.request("k", "50000"));
      RequestEnvelope huge = service.send(service.request("k", "" + (20 << 20)));
      RequestEnvelope small = service.send(service.request("k", "5000"));

      for (RequestEnvelope request : List.of(large, huge)) {
        ReplyEnvelope reply = service.awaitReply(request);
        assertThat(reply.outcome()).isEqualTo(ReplyOutcome.COMPLETED);
        assertThat(reply.status()).isEqualTo(502);
        assertThat(new String(reply.body(), UTF_8)).contains("\"code\":\"reply-too-large\"");
      }
      assertThat(service.awaitReply(small).status()).isEqualTo(200);
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void neverMoreAtOnceThanTheConcurrencyAndNeverTwoOfAKey(TestKafka kafka) {
    TestService service = new TestService(kafka, 4);
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    AtomicInteger overlaps = new AtomicInteger();
    Map<String, AtomicInteger> perKey = new ConcurrentHashMap<>();
    Map<String, ConcurrentLinkedQueue<Integer>> order = new ConcurrentHashMap<>();
    int keys = 40;
    int each = 25;
    try (TideoverConsumer consumer =
        service
            .builder()
            .concurrency(8)
            .handler(
                request -> {
                  String key = request.orderingKey().orElseThrow();
                  most.accumulateAndGet(running.incrementAndGet(), Math::max);
                  AtomicInteger mine = perKey.computeIfAbsent(key, k -> new AtomicInteger());
                  if (mine.incrementAndGet() > 1) {
                    overlaps.incrementAndGet();
                  }
                  order
                      .computeIfAbsent(key, k -> new ConcurrentLinkedQueue<>())
                      .add(Integer.parseInt(request.text()));
                  TimeUnit.MICROSECONDS.sleep(500); // the handler's work
                  mine.decrementAndGet();
                  running.decrementAndGet();
                  return Outcome.reply(204);
                })
            .start()) {
      List<RequestEnvelope> sent = new ArrayList<>();
      for (int n = 0; n < each; n++) {
        for (int k = 0; k < keys; k++) {
          RequestEnvelope request = service.request("key-" + k, "" + n);
          sent.add(request);
          kafka.producer().send(service.record(request));
        }
      }
      kafka.producer().flush();

      TestService.await().until(() -> service.replies().size() == sent.size());
      assertThat(overlaps).hasValue(0);
      assertThat(most.get()).isBetween(2, 8);
      List<Integer> inOrder = java.util.stream.IntStream.range(0, each).boxed().toList();
      assertThat(order).hasSize(keys);
      order.values().forEach(seen -> assertThat(seen).containsExactlyElementsOf(inOrder));
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void aUsersExecutorRunsTheHandlersAndIsNotOvercommitted(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    Executor threads = task -> new Thread(task, "users-own").start();
    try (TideoverConsumer consumer =
        service
            .builder()
            .concurrency(3)
            .executor(threads)
            .handler(
                request -> {
                  most.accumulateAndGet(running.incrementAndGet(), Math::max);
                  TimeUnit.MILLISECONDS.sleep(20); // the handler's work
                  running.decrementAndGet();
                  return Outcome.reply(200).text(Thread.currentThread().getName());
                })
            .start()) {
      List<RequestEnvelope> sent = new ArrayList<>();
      for (int n = 0; n < 150; n++) {
        sent.add(service.request(null, "" + n));
      }
      sent.forEach(request -> kafka.producer().send(service.record(request)));

      TestService.await().until(() -> service.replies().size() == sent.size());
      assertThat(most.get()).isEqualTo(3); // after a slow start
      assertThat(new String(service.awaitReply(sent.get(0)).body(), UTF_8)).isEqualTo("users-own");
      assertThat(consumer.failure()).isEmpty();
    }
  }

  /** Without an ordering key the id decides the partition, so ids are drawn until one fits. */
  private static RequestEnvelope onPartition(TestService service, int partition, String body) {
    while (true) {
      RequestEnvelope request = service.request(null, body);
      if (service.record(request).partition() == partition) {
        return request;
      }
    }
  }

  private static String text(ConsumerRecord<byte[], byte[]> record, String header) {
    return new String(record.headers().lastHeader(header).value(), UTF_8);
  }
}
