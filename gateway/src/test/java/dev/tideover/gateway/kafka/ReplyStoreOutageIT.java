package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.kafka.ReplyStore.Lookup;
import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** While Kafka is away nobody is told anything that isn't known, and nobody waits long for that. */
@Tag("long")
class ReplyStoreOutageIT {

  private static final Duration LIMIT = Duration.ofMillis(2_500);

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void saysInTimeThatItCantTellAndTellsAgainAfterwards(boolean frozen) throws Exception {
    try (BrokerProcess broker = BrokerProcess.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      ReplyTopic topic = new ReplyTopic(kafka);
      RequestId read = RequestId.random();
      RequestId unread = RequestId.random();
      Instant now = Instant.now();
      topic.write(now, read, unread);
      try (ReplyStore store = ReplyTopic.filled(topic.store())) {
        assertThat(store.find(read, now).toCompletableFuture().get(20, TimeUnit.SECONDS))
            .isInstanceOf(Lookup.Found.class);
        if (frozen) {
          broker.freeze();
        } else {
          broker.kill();
        }
        // What has been read is in the cache, and a reply that was there stays the reply.
        assertThat(store.find(read, now).toCompletableFuture().get(1, TimeUnit.SECONDS))
            .isInstanceOf(Lookup.Found.class);
        for (int round = 0; round < 3; round++) {
          long start = System.nanoTime();
          List<CompletableFuture<Lookup>> lookups = new ArrayList<>();
          for (int i = 0; i < 200; i++) {
            lookups.add(store.find(RequestId.random(), now).toCompletableFuture());
          }
          lookups.add(store.find(unread, now).toCompletableFuture());
          for (CompletableFuture<Lookup> lookup : lookups) {
            assertThat(lookup.get(20, TimeUnit.SECONDS))
                .isInstanceOfSatisfying(
                    Lookup.NotNow.class, notNow -> assertThat(notNow.reason()).isNotBlank());
          }
          assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(LIMIT);
        }

        if (frozen) {
          broker.thaw();
        } else {
          broker.restart();
        }
        await()
            .atMost(Duration.ofSeconds(30))
            .until(
                () ->
                    store.find(RequestId.random(), now).toCompletableFuture().get()
                        instanceof Lookup.Absent);
        await()
            .atMost(Duration.ofSeconds(30))
            .until(
                () -> store.find(unread, now).toCompletableFuture().get() instanceof Lookup.Found);
        assertThat(store.isFollowing()).isTrue();
      }
    }
  }
}
