package dev.tideover.gateway.exchange;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.Backlog;
import dev.tideover.gateway.kafka.ReplyStore;
import dev.tideover.gateway.kafka.RequestLog;
import dev.tideover.gateway.kafka.RequestSearch;
import dev.tideover.gateway.route.Routes;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestId;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@KafkaTest
@Timeout(120)
class CancelIT {

  /** The ledger isn't there, so the log tries for 5 s. */
  @Test
  void aWishThatIsNotStoredInTimeIsAnsweredWithinItsClientsWaitAndTwoSeconds(TestKafka kafka)
      throws Exception {
    String service = kafka.uniqueName("svc");
    kafka.createTopic(service + ".requests", 1);
    GatewayConfig config = config(kafka, service);
    StatusToken.Signer signer = new StatusToken.Signer("the secret of this test");
    Waiters waiters = new Waiters();
    Vertx vertx = Vertx.vertx();
    try (RequestLog log = RequestLog.start(config);
        ReplyStore replies = ReplyStore.start(config, waiters);
        Backlog backlog = Backlog.start(config);
        RequestSearch search = RequestSearch.start(config);
        Exchanges exchanges =
            new Exchanges(
                config,
                Routes.of(config),
                new Exchanges.Parts(log, replies, backlog, search, failed -> {}),
                waiters,
                signer,
                new KeyedIds("the secret of this test"))) {
      replies.ready().toCompletableFuture().get(20, TimeUnit.SECONDS);
      StatusToken waits =
          new StatusToken(
              RequestId.random(),
              Instant.now(),
              StatusToken.hash(service),
              0,
              /* offset= */ 0,
              StatusToken.ANY);
      Inquiry inquiry = exchanges.ask(signer.write(waits), vertx.getOrCreateContext());
      // Once before, so that only the cancellation takes its time below.
      assertThat(get(inquiry.now(), 20)).isInstanceOf(Answer.Pending.class);

      Answer answer = get(inquiry.cancel(Duration.ofMillis(100)), 4);

      assertThat(answer)
          .isInstanceOfSatisfying(
              Answer.ReplyMissing.class,
              missing -> assertThat(missing.reason()).isEqualTo(Answer.Reason.CANCEL_UNAVAILABLE));
    } finally {
      vertx.close().toCompletionStage().toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  private static Answer get(io.vertx.core.Future<Answer> coming, int seconds) throws Exception {
    return coming.toCompletionStage().toCompletableFuture().get(seconds, TimeUnit.SECONDS);
  }

  private static GatewayConfig config(TestKafka kafka, String service) {
    return ConfigFile.parse(
        """
        kafka: { bootstrap-servers: "%s" }
        replies: { topic: %s, partitions: 1 }
        services:
          %s: { topic: { partitions: 1 }, routes: [ { path: /** } ] }
        """
            .formatted(
                kafka.bootstrapServers(),
                kafka.createTopic(kafka.uniqueName("replies"), 1),
                service),
        "test",
        variable -> null);
  }
}
