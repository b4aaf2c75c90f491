package dev.tideover.gateway.exchange;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.Gateway;
import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.RequestId;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What a gateway that was not there says of requests that were accepted before replies of their
 * time were deleted: only where its service stands can tell whether they still wait.
 */
@KafkaTest
class InquiryIT {

  private static final String SECRET = "the secret of this test";
  private static final Instant OLD = Instant.now().minus(Duration.ofHours(2));

  private static TestKafka kafka;
  private static String service;
  private static Gateway gateway;

  @BeforeAll
  static void start(TestKafka broker) throws Exception {
    kafka = broker;
    service = kafka.uniqueName("svc");
    String replies = kafka.createTopic(service + ".replies", 1);
    // Something was there and is deleted.
    kafka.produce(new ProducerRecord<>(replies, 0, bytes("key"), bytes("reply")));
    kafka
        .admin()
        .deleteRecords(Map.of(new TopicPartition(replies, 0), RecordsToDelete.beforeOffset(-1)))
        .all()
        .get(20, TimeUnit.SECONDS);
    kafka.createTopic(service + ".requests", 2);
    gateway =
        Gateway.start(
            ConfigFile.parse(
                """
                kafka: { bootstrap-servers: "%s" }
                http: { host: 127.0.0.1, port: 0 }
                admin: { host: 127.0.0.1, port: 0 }
                secret: %s
                replies: { topic: %s, partitions: 1, retention: 1h }
                shutdown: { delay: 0s, wait: 0s }
                services:
                  %s: { topic: { partitions: 2 }, routes: [{ path: /** }] }
                """
                    .formatted(kafka.bootstrapServers(), SECRET, replies, service),
                "test",
                name -> null));
  }

  @AfterAll
  static void stop() {
    gateway.close();
  }

  @Test
  void anOldRequestThatStillWaitsIsPending() throws Exception {
    RequestId id = RequestId.random();
    stored(id, 0);

    HttpResponse<String> answer = awaitAnswer(token(id, service, 0, 0), 202);

    assertThat(outcome(answer)).isEqualTo("accepted");
  }

  @Test
  void anOldRequestThatIsDoneHasHadItsReply() throws Exception {
    RequestId id = RequestId.random();
    stored(id, 1);
    kafka
        .admin()
        .alterConsumerGroupOffsets(
            service, Map.of(new TopicPartition(service + ".requests", 1), new OffsetAndMetadata(1)))
        .all()
        .get(20, TimeUnit.SECONDS);

    HttpResponse<String> answer = awaitAnswer(token(id, service, 1, 0), 410);

    assertThat(answer.body()).contains("reply-expired");
    assertThat(outcome(answer)).isEqualTo("accepted");
  }

  /** Its queue is seen by nobody here, so it may wait there to this day. */
  @Test
  void ofAnOldRequestWhoseQueueCannotBeSeenNothingIsClaimed() throws Exception {
    HttpResponse<String> answer = ask(token(RequestId.random(), "removed", 0, 0));

    assertThat(answer.statusCode()).isEqualTo(503);
    assertThat(answer.body()).contains("reply-unavailable");
    assertThat(outcome(answer)).isEqualTo("accepted");
  }

  @Test
  void anOldRequestThatNobodySawAcknowledgedIsLookedForBeforeItIsCalledGone() throws Exception {
    RequestId id = RequestId.random();
    stored(id, 0);

    HttpResponse<String> answer = awaitAnswer(token(id, service, 0, Flight.NOWHERE), 202);

    assertThat(answer.body()).contains("\"state\":\"pending\"");
    assertThat(outcome(answer)).isEqualTo("accepted");
  }

  /** As much of a request as its gateway reads, written when it was accepted. */
  private static void stored(RequestId id, int partition) {
    ProducerRecord<byte[], byte[]> request =
        new ProducerRecord<>(
            service + ".requests", partition, OLD.toEpochMilli(), bytes("key"), bytes("body"));
    request.headers().add("tideover-v", bytes("1"));
    request.headers().add("tideover-id", bytes(id.toString()));
    kafka.produce(request);
  }

  private static String token(RequestId id, String name, int partition, long offset) {
    assertThat(Partitions.of(id.toString(), 1)).isZero();
    return new StatusToken.Signer(SECRET)
        .write(
            new StatusToken(id, OLD, StatusToken.hash(name), partition, offset, StatusToken.ANY));
  }

  /** Where the service stands is looked at each second; before that nothing is claimed. */
  private static HttpResponse<String> awaitAnswer(String token, int status) {
    HttpResponse<String> answer =
        await()
            .atMost(Duration.ofSeconds(20))
            .until(
                () -> ask(token),
                found -> found.statusCode() != 503 && (status == 202 || !isPending(found)));
    assertThat(answer.statusCode()).isEqualTo(status);
    return answer;
  }

  private static boolean isPending(HttpResponse<String> answer) {
    return answer.statusCode() == 202;
  }

  private static HttpResponse<String> ask(String token) throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(
                    URI.create(
                        "http://127.0.0.1:" + gateway.port() + "/.tideover/requests/" + token))
                .timeout(Duration.ofSeconds(20))
                .build(),
            HttpResponse.BodyHandlers.ofString());
  }

  private static String outcome(HttpResponse<String> answer) {
    return answer.headers().firstValue("Tideover-Outcome").orElseThrow();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }
}
