package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ReplyIndex.Place;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.jspecify.annotations.Nullable;

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

  /** What is known of a request's reply. */
  public sealed interface Lookup {
    /** The first reply that was written to it. */
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
  private static final Duration FILL_LIMIT = Duration.ofSeconds(2);
  private static final Duration SEARCH_LIMIT = Duration.ofSeconds(3);
  private static final int MAX_WAITING = 20_000;
  private static final int READ_FETCH_BYTES = 64 << 10;

  /**
   * A broker has whatever is read again, so there is nothing to wait for; but the clients also
   * fetch ahead, perhaps at the end, and while that is out they can't fetch what is really wanted.
   */
  private static final Duration READ_FETCH_WAIT = Duration.ofMillis(1);

  private static final Duration FEED_FETCH_WAIT = Duration.ofMillis(500);
  private static final String STOPPING = "the gateway is stopping";
  private static final Lookup ABSENT = new Lookup.Absent();
  private static final Lookup GONE = new Lookup.Gone();
  private static final Lookup NONE_LEFT = new Lookup.NoneLeft();

  /** Who asks, and from when on there may be a reply. */
  private record Question(RequestId id, int partition, Instant acceptedAt, long since) {}

  private final GatewayConfig.Replies replies;
  private final ReplyIndex index;
  private final ScheduledExecutorService executor = executor();
  private final Admin admin;
  private final ReplyFeed feed;
  private final ReplyEnds ends;
  private final ReplyCache reader;
  private final ReplySearch search;
  private final CompletableFuture<@Nullable Void> ready;
  private final CompletableFuture<ReplyBackfill> backfill;
  private final AtomicInteger waiting = new AtomicInteger();

  private ReplyStore(GatewayConfig config, ReplyFeed.Listener listener) {
    this.replies = config.replies();
    this.index = new ReplyIndex(replies.index(), replies.partitions());
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
    this.feed =
        ReplyFeed.start(
            consumer(config, "replies", KafkaSettings.MAX_REPLY_BYTES, FEED_FETCH_WAIT),
            replies,
            index,
            listener,
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
  }

  /**
   * Starts following the replies.
   *
   * @param listener is told of each, after it can be found
   * @throws KafkaUnavailableException if Kafka's clients don't take their settings
   */
  public static ReplyStore start(GatewayConfig config, ReplyFeed.Listener listener) {
    return new ReplyStore(config, listener);
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
   * What the reply of a request is. Ends within 2 s unless a part of the reply topic must be
   * searched, which happens for older requests soon after a start and where the index is too small;
   * then within 9 s. Never blocks, never fails.
   *
   * @param acceptedAt by the clock of the gateway that accepted it
   */
  public CompletionStage<Lookup> find(RequestId id, Instant acceptedAt) {
    if (!ready.isDone() || ready.isCompletedExceptionally()) {
      return CompletableFuture.completedFuture(
          new Lookup.NotNow("this gateway does not follow the replies yet"));
    }
    if (waiting.incrementAndGet() > MAX_WAITING) {
      waiting.decrementAndGet();
      return CompletableFuture.completedFuture(
          new Lookup.NotNow(MAX_WAITING + " others ask at this moment"));
    }
    Question question =
        new Question(
            id,
            Partitions.of(id.toString(), replies.partitions()),
            acceptedAt,
            acceptedAt.minus(CLOCK_SKEW).toEpochMilli());
    CompletableFuture<Lookup> answer;
    try {
      answer = find(question);
    } catch (RejectedExecutionException e) {
      answer = CompletableFuture.failedFuture(new KafkaUnavailableException(STOPPING, e));
    }
    return answer
        .exceptionally(failure -> new Lookup.NotNow(reason(failure)))
        .whenComplete((unused, failure) -> waiting.decrementAndGet());
  }

  private static String reason(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause instanceof TimeoutException
        ? "the reply is there and could not be read in time"
        : String.valueOf(cause.getMessage());
  }

  private CompletableFuture<Lookup> find(Question question) {
    ReplyIndex.View known = index.view(question.id(), question.partition());
    // What came since this gateway's start may be a second reply. The first one stands, so it waits
    // for the index to be filled back to the acceptance, as for one that isn't there.
    boolean first = question.since() > known.completeSince() || isFilled();
    if (known.place() != null && first) {
      return read(question, known.place());
    }
    return ends.caughtUp(question.partition())
        .thenCompose(caughtUp -> caughtUp ? atTheEnd(question) : tooSlow());
  }

  private static CompletableFuture<Lookup> tooSlow() {
    return CompletableFuture.completedFuture(
        new Lookup.NotNow("Kafka did not say in time how far the replies go"));
  }

  /** The index has all that there was at the question, back to its horizon. */
  private CompletableFuture<Lookup> atTheEnd(Question question) {
    ReplyIndex.View view = index.view(question.id(), question.partition());
    if (question.since() > view.completeSince()) {
      return decided(question, view);
    }
    return backfill
        .join()
        .filledBackTo(question.partition(), question.since() - 1, FILL_LIMIT)
        .thenCompose(unused -> filled(question));
  }

  private CompletableFuture<Lookup> filled(Question question) {
    ReplyIndex.View view = index.view(question.id(), question.partition());
    if (view.place() != null || question.since() > view.completeSince()) {
      return decided(question, view);
    }
    long end = Math.min(view.completeFrom(), feed.position(question.partition()));
    return search(question, end, null);
  }

  private CompletableFuture<Lookup> decided(Question question, ReplyIndex.View view) {
    return view.place() == null
        ? CompletableFuture.completedFuture(ABSENT)
        : read(question, view.place());
  }

  private CompletableFuture<Lookup> search(Question question, long end, @Nullable Place wrong) {
    return search
        .find(question.partition(), question.id(), question.since(), end)
        .thenCompose(
            result -> {
              Place place = result.place();
              if (place == null) {
                boolean never = result.wholeIsThere() || isYoung(question);
                return CompletableFuture.completedFuture(never ? ABSENT : NONE_LEFT);
              }
              if (wrong != null) {
                index.correct(question.id(), wrong, place);
              }
              return reader.read(place).thenApply(found -> answer(question, place, found));
            });
  }

  /** Whether its reply can't have been deleted for its age. */
  private boolean isYoung(Question question) {
    return question.acceptedAt().plus(replies.retention()).isAfter(Instant.now());
  }

  private CompletableFuture<Lookup> read(Question question, Place place) {
    return reader
        .read(place)
        .thenCompose(
            found ->
                isAnothers(question, found) || found instanceof ReplyReader.Found.Gone
                    ? elsewhere(question, place, found)
                    : CompletableFuture.completedFuture(answer(question, place, found)));
  }

  /**
   * What the index says is not so any more: the reply was deleted, and its id perhaps used again,
   * or the topic was made anew. Where there is no other the reply was there and is gone; that two
   * ids are alike in the index and the second has no reply yet is less likely than all else.
   */
  private CompletableFuture<Lookup> elsewhere(
      Question question, Place place, ReplyReader.Found found) {
    if (found instanceof ReplyReader.Found.Gone && !isYoung(question)) {
      return CompletableFuture.completedFuture(GONE);
    }
    return ends.caughtUp(question.partition())
        .thenCompose(
            caughtUp ->
                caughtUp ? search(question, feed.position(question.partition()), place) : tooSlow())
        .thenApply(
            searched ->
                searched instanceof Lookup.Absent || searched instanceof Lookup.NoneLeft
                    ? GONE
                    : searched);
  }

  private static boolean isAnothers(Question question, ReplyReader.Found found) {
    if (found instanceof ReplyReader.Found.Reply reply) {
      return !reply.reply().id().equals(question.id());
    }
    return found instanceof ReplyReader.Found.Unreadable unreadable
        && !question.id().equals(unreadable.id());
  }

  private static Lookup answer(Question question, Place place, ReplyReader.Found found) {
    if (found instanceof ReplyReader.Found.Gone || isAnothers(question, found)) {
      return GONE;
    }
    return found instanceof ReplyReader.Found.Reply reply
        ? new Lookup.Found(reply.reply(), place.partition(), place.offset())
        : new Lookup.Unreadable(place.partition(), place.offset());
  }

  /**
   * The reply at a place that another reply names as the original: Found, Unreadable, Gone or
   * NotNow. Ends within 2 s.
   */
  public CompletionStage<Lookup> read(RequestId id, int partition, long offset) {
    Question question = new Question(id, partition, Instant.EPOCH, 0);
    Place place = new Place(partition, offset);
    return reader
        .read(place)
        .thenApply(found -> answer(question, place, found))
        .exceptionally(failure -> new Lookup.NotNow(reason(failure)));
  }

  /** How often Kafka was asked for a reply. */
  long reads() {
    return reader.reads();
  }

  /** How often Kafka was asked how far the replies go. */
  long endRequests() {
    return ends.requests();
  }

  private boolean isFilled() {
    return backfill.isDone()
        && !backfill.isCompletedExceptionally()
        && backfill.join().ended().isDone();
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
