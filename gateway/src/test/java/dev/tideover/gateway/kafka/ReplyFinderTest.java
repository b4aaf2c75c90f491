package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ReplyIndex.Place;
import dev.tideover.gateway.kafka.ReplyStore.Lookup;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** While Kafka is away: the rest is in {@link ReplyResendsIT} and {@link ReplyStoreIT}. */
@Timeout(60)
class ReplyFinderTest {

  private static final GatewayConfig.Replies REPLIES =
      new GatewayConfig.Replies("replies", 1, Duration.ofHours(1));
  private static final TopicPartition PARTITION = new TopicPartition(REPLIES.topic(), 0);
  private static final int READS = 10_000;

  private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
  private final ReplyIndex index = new ReplyIndex(10_000, 1);
  private ReplyFeed feed;
  private ReplyCache reader;
  private ReplySearch search;
  private ReplyFinder finder;

  @BeforeEach
  void start() {
    MockConsumer<byte[], byte[]> followed = consumer();
    followed.updateEndOffsets(Map.of(PARTITION, 0L));
    feed =
        ReplyFeed.start(
            followed,
            REPLIES,
            index,
            new ReplyTopic.Silence(),
            (reply, at) -> {},
            ReplyObserver.NONE,
            executor);
    reader =
        new ReplyCache(
            ReplyReader.start(consumer(), REPLIES.topic(), Duration.ofMinutes(1)), executor);
    search = ReplySearch.start(this::consumer, REPLIES.topic(), Duration.ofSeconds(1));
    ReplyEnds ends = new ReplyEnds(partitions -> Map.of(), feed, Duration.ofSeconds(1), executor);
    finder = new ReplyFinder(REPLIES, index, feed, ends, reader, search, new CompletableFuture<>());
  }

  @AfterEach
  void stop() {
    feed.close();
    search.close();
    reader.close();
    executor.shutdownNow();
  }

  /** There is something and it never comes. */
  private MockConsumer<byte[], byte[]> consumer() {
    MockConsumer<byte[], byte[]> consumer = new MockConsumer<>("earliest");
    consumer.updateBeginningOffsets(Map.of(PARTITION, 0L));
    return consumer;
  }

  @Test
  void ofAFloodOfResendsNoMoreAreReadThanTheReaderTakesAndTheOthersAreToldAtOnce()
      throws Exception {
    List<CompletableFuture<Lookup>> lookups = new ArrayList<>();
    for (int i = 0; i < READS; i++) {
      lookups.add(original(i));
    }
    assertThat(original(READS).getNow(null)).isInstanceOf(Lookup.NotNow.class);
    assertThat(original(READS + 1).getNow(null)).isInstanceOf(Lookup.NotNow.class);

    for (CompletableFuture<Lookup> lookup : lookups) {
      assertThat(lookup.get(20, TimeUnit.SECONDS)).isInstanceOf(Lookup.NotNow.class);
    }
  }

  /** Whether it goes to Kafka is decided by whoever asks; it must not wait for that. */
  @Test
  void nothingIsRecalledBeforeTheRepliesAreFollowed() {
    RequestId known = RequestId.random();
    index.put(known, 0, 7, 0, false);

    assertThat(recall(known)).isInstanceOf(Lookup.NotNow.class);
    assertThat(recall(RequestId.random())).isInstanceOf(Lookup.Absent.class);
    assertThat(reader.reads()).isZero();
  }

  private Lookup recall(RequestId id) {
    return finder.recall(id).toCompletableFuture().getNow(null);
  }

  private CompletableFuture<Lookup> original(int offset) {
    ReplyEnvelope duplicate =
        new ReplyEnvelope(
            RequestId.random(),
            new Fingerprint(1, 2),
            ReplyOutcome.DUPLICATE,
            "app/v1/1",
            0,
            offset,
            ReplyEnvelope.NONE,
            HttpFields.EMPTY,
            new byte[0]);
    return finder.original(duplicate, new Place(0, offset + 100_000)).toCompletableFuture();
  }
}
