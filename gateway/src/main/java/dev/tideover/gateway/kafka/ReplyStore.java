package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ReplyIndex.Place;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All replies of the cell: tells of each as it comes, and says of any request, whichever gateway
 * accepted it, what its reply is. Owns everything that reads the reply topic. Safe for any thread.
 *
 * <p>Where a reply stands is in an {@link ReplyIndex index}, which the {@link ReplyFeed feed} keeps
 * and which is {@link ReplyBackfill filled backwards} after a start; the body is {@link ReplyReader
 * read} when it is asked for, and stays in a {@link ReplyCache cache} for a moment. That there is
 * none is said only when the index has {@link ReplyEnds caught up} with the moment of the question
 * and goes back to the request's acceptance; where it doesn't go back that far the partition is
 * {@link ReplySearch searched}.
 */
public final class ReplyStore implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(ReplyStore.class);

  /** What is known of a request's reply. */
  public sealed interface Lookup {
    /** The first reply that was written to it; never a duplicate, which only names that one. */
    record Found(ReplyEnvelope reply, int partition, long offset) implements Lookup {}

    /** There is a record in its place and it can't be read as a reply. */
    record Unreadable(int partition, long offset) implements Lookup {}

    /** There was no reply at the call of find(). */
    record Absent() implements Lookup {}

    /** Its reply was there and is deleted. */
    record Gone() implements Lookup {}

    /**
     * There is none, and one may have been: the request was accepted longer ago than replies are
     * kept, and than the index remembers. It may also wait in its queue to this day.
     */
    record NoneLeft() implements Lookup {}

    /** It can't be told now; the reason is for people. */
    record NotNow(String reason) implements Lookup {}
  }

  /**
   * How far the clocks of those who accept and those who reply may be apart. Further, and a reply
   * of before this gateway's start could be taken for one that is not there yet, until the index
   * has been filled.
   */
  static final Duration CLOCK_SKEW = Duration.ofMinutes(1);

  private static final Duration ENDS_LIMIT = Duration.ofSeconds(2);
  private static final Duration SEARCH_LIMIT = Duration.ofSeconds(3);
  private static final int MAX_FOLLOWED = 10_000;
  private static final int READ_FETCH_BYTES = 64 << 10;

  /**
   * A broker has whatever is read again, so there is nothing to wait for; but the clients also
   * fetch ahead, perhaps at the end, and while that is out they can't fetch what is really wanted.
   */
  private static final Duration READ_FETCH_WAIT = Duration.ofMillis(1);

  private static final Duration FEED_FETCH_WAIT = Duration.ofMillis(500);

  private final ScheduledExecutorService executor = executor();
  private final Admin admin;
  private final ReplyFeed feed;
  private final ReplyEnds ends;
  private final ReplyCache reader;
  private final ReplySearch search;
  private final CompletableFuture<@Nullable Void> ready;
  private final CompletableFuture<ReplyBackfill> backfill;
  private final ReplyFinder finder;

  /** The requests whose first reply is being read for those who wait. */
  private final Set<RequestId> followed = ConcurrentHashMap.newKeySet();

  private ReplyStore(GatewayConfig config, ReplyFeed.Listener listener, ReplyObserver observer) {
    GatewayConfig.Replies replies = config.replies();
    ReplyIndex index = new ReplyIndex(replies.index(), replies.partitions());
    this.admin = KafkaSettings.client(() -> Admin.create(KafkaSettings.admin(config)));
    this.reader =
        new ReplyCache(
            ReplyReader.start(
                consumer(config, "reader", READ_FETCH_BYTES, READ_FETCH_WAIT), replies.topic()),
            executor);
    this.search =
        ReplySearch.start(
            () -> consumer(config, "search", ReplySearch.FETCH_BYTES, READ_FETCH_WAIT),
            replies.topic(),
            SEARCH_LIMIT);
    CompletableFuture<ReplyFinder> made = new CompletableFuture<>();
    this.feed =
        ReplyFeed.start(
            consumer(config, "replies", KafkaSettings.MAX_REPLY_BYTES, FEED_FETCH_WAIT),
            replies,
            index,
            listener,
            new ReplyFeed.Resends() {
              @Override
              public void follow(ReplyEnvelope reply, Place place) {
                var unused =
                    made.thenAccept(its -> ReplyStore.this.follow(its, reply, place, listener));
              }

              @Override
              public boolean mayBeSecond(RequestId id) {
                return !(made.isDone() && made.join().isFilled()) && listener.mayComeAgain(id);
              }
            },
            observer,
            executor);
    this.ends =
        new ReplyEnds(
            ReplyEnds.source(admin, replies.topic(), ENDS_LIMIT), feed, ENDS_LIMIT, executor);
    this.backfill =
        feed.ready()
            .toCompletableFuture()
            .thenApplyAsync(
                from ->
                    ReplyBackfill.start(
                        consumer(config, "backfill", ReplyBackfill.CHUNK_BYTES, READ_FETCH_WAIT),
                        replies,
                        index,
                        from,
                        executor),
                executor);
    this.ready = backfill.thenApply(started -> null);
    this.finder = new ReplyFinder(replies, index, feed, ends, reader, search, backfill);
    made.complete(finder);
  }

  /**
   * Starts following the replies.
   *
   * @param listener is told of each, after it can be found
   * @throws KafkaUnavailableException if Kafka's clients don't take their settings
   */
  public static ReplyStore start(GatewayConfig config, ReplyFeed.Listener listener) {
    return start(config, listener, ReplyObserver.NONE);
  }

  /**
   * The same with one who looks on.
   *
   * @param observer is told of each reply of the cell
   */
  public static ReplyStore start(
      GatewayConfig config, ReplyFeed.Listener listener, ReplyObserver observer) {
    return new ReplyStore(config, listener, observer);
  }

  /**
   * Somebody waits, and what has come is a duplicate, or may be a second reply: the one that stands
   * is looked for, once at a time for an id, however many come. On the feed's thread.
   */
  private void follow(
      ReplyFinder its, ReplyEnvelope reply, Place place, ReplyFeed.Listener listener) {
    RequestId id = reply.id();
    if (followed.size() >= MAX_FOLLOWED) {
      Lookup tooMany = new Lookup.NotNow(MAX_FOLLOWED + " others are read at this moment");
      tell(reply, place, tooMany, listener);
      return;
    }
    if (!followed.add(id)) {
      return;
    }
    var unused =
        its.standing(reply, place)
            .thenAccept(
                standing -> {
                  // Before they are told: who waited when another was passed over is told here.
                  followed.remove(id);
                  tell(reply, place, standing, listener);
                })
            .exceptionally(
                failure -> {
                  LOG.error("BUG: the first reply of {} could not be delivered", id, failure);
                  return null;
                });
  }

  private static void tell(
      ReplyEnvelope came, Place place, Lookup standing, ReplyFeed.Listener listener) {
    if (standing instanceof Lookup.Found found) {
      boolean same = place.equals(new Place(found.partition(), found.offset()));
      listener.onReply(found.reply(), !same);
    } else if (standing instanceof Lookup.Unreadable) {
      listener.onUnreadable(came.id());
    } else if (came.outcome() == ReplyOutcome.DUPLICATE) {
      listener.onOriginalMissing(came.id(), standing);
    } else {
      // The first one can't be had any more; this one is as true.
      listener.onReply(came, false);
    }
  }

  private static Consumer<byte[], byte[]> consumer(
      GatewayConfig config, String purpose, int fetchBytes, Duration fetchWait) {
    return KafkaSettings.client(
        () -> new KafkaConsumer<>(KafkaSettings.replies(config, purpose, fetchBytes, fetchWait)));
  }

  /** Of one thread: what completes on it is short, and so in order. */
  private static ScheduledExecutorService executor() {
    ScheduledThreadPoolExecutor executor =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "tideover-reply-store");
              thread.setDaemon(true);
              return thread;
            });
    executor.setRemoveOnCancelPolicy(true);
    return executor;
  }

  /** Done when every reply written from now on will be told of; failed if that can't be had. */
  public CompletionStage<@Nullable Void> ready() {
    return ready;
  }

  /**
   * Whether replies are still being followed, and read again for those who ask later; a gateway
   * where they are not can't be ready.
   */
  public boolean isFollowing() {
    return feed.isFollowing() && reader.isReading();
  }

  /** How many offsets of the reply topic were deleted before they could be read. */
  public long missed() {
    return feed.missed();
  }

  /**
   * What the reply of a request is. Ends within 2 s, or 4 s where a resend has the answer, unless a
   * part of the reply topic must be searched: for older requests soon after a start and where the
   * index is too small, then within 9 s, and once more where a service has recognised a resend and
   * doesn't know where the first reply stands, then within 16 s. Never blocks, never fails.
   *
   * @param acceptedAt by the clock of the gateway that accepted it
   */
  public CompletionStage<Lookup> find(RequestId id, Instant acceptedAt) {
    return finder.find(id, acceptedAt);
  }

  /**
   * What the index knows of a request's reply now, without asking Kafka how far the replies go:
   * Found, Unreadable, Absent, Gone or NotNow. Only Found and Unreadable decide anything; the rest
   * says no more than that this gateway can't tell: the reply may not have come here yet, may be
   * older than the index, or the index's knowledge may be out of date. Done at once unless a record
   * has to be read, then within 4 s. Never blocks, never fails.
   */
  public CompletionStage<Lookup> recall(RequestId id) {
    return finder.recall(id);
  }

  /** How often Kafka was asked for a reply. */
  long reads() {
    return reader.reads();
  }

  /** How often Kafka was asked how far the replies go. */
  long endRequests() {
    return ends.requests();
  }

  /** Done when there is nothing left to fill the index with. */
  CompletionStage<Boolean> filled() {
    return backfill.thenCompose(ReplyBackfill::ended);
  }

  /** Stops following; whoever still asks is told that it can't be said now. About 20 s at most. */
  @Override
  public void close() {
    feed.close();
    // Where the feed never got ready there is no filling.
    backfill
        .handle((started, failure) -> started)
        .completeOnTimeout(null, 1, TimeUnit.SECONDS)
        .thenAccept(
            started -> {
              if (started != null) {
                started.close();
              }
            })
        .join();
    search.close();
    reader.close();
    admin.close(Duration.ofSeconds(2));
    executor.shutdownNow();
  }
}
