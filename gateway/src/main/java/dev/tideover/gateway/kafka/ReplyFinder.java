package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ReplyIndex.Place;
import dev.tideover.gateway.kafka.ReplyStore.Lookup;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Says which reply stands for a request: the first that was written, whatever came later. A resend
 * that the service has recognised brings a {@code duplicate}, which only names the place of that
 * one; so whatever is given out here was followed to it, and a {@code duplicate} never is.
 *
 * <p>What is read for one answer is bounded: the record that the index names, the one that this
 * names, and one search. Owns nothing but the count of those who ask. Safe for any thread.
 */
final class ReplyFinder {

  private static final Duration FILL_LIMIT = Duration.ofSeconds(2);
  private static final int MAX_WAITING = 20_000;
  private static final Lookup ABSENT = new Lookup.Absent();
  private static final Lookup GONE = new Lookup.Gone();
  private static final Lookup NONE_LEFT = new Lookup.NoneLeft();

  /** Who asks, and from when on there may be a reply. */
  private record Question(RequestId id, int partition, Instant acceptedAt, long since) {

    /** About a reply of any time. */
    static Question ofAnyTime(RequestId id, int partition) {
      return new Question(id, partition, Instant.EPOCH, 0);
    }
  }

  private final GatewayConfig.Replies replies;
  private final ReplyIndex index;
  private final ReplyFeed feed;
  private final ReplyEnds ends;
  private final ReplyCache reader;
  private final ReplySearch search;
  private final CompletableFuture<ReplyBackfill> backfill;
  private final AtomicInteger waiting = new AtomicInteger();

  ReplyFinder(
      GatewayConfig.Replies replies,
      ReplyIndex index,
      ReplyFeed feed,
      ReplyEnds ends,
      ReplyCache reader,
      ReplySearch search,
      CompletableFuture<ReplyBackfill> backfill) {
    this.replies = replies;
    this.index = index;
    this.feed = feed;
    this.ends = ends;
    this.reader = reader;
    this.search = search;
    this.backfill = backfill;
  }

  /** See {@link ReplyStore#find}. */
  CompletionStage<Lookup> find(RequestId id, Instant acceptedAt) {
    return counted(
        () ->
            find(
                new Question(
                    id,
                    Partitions.of(id.toString(), replies.partitions()),
                    acceptedAt,
                    acceptedAt.minus(ReplyStore.CLOCK_SKEW).toEpochMilli())));
  }

  /** See {@link ReplyStore#recall}. */
  CompletionStage<Lookup> recall(RequestId id) {
    Place known = index.get(id);
    if (known == null) {
      return completed(ABSENT);
    }
    if (!isFilled()) {
      // It may be a second one: see find().
      return notNow("the replies of before this gateway's start are still being read");
    }
    return counted(() -> recall(Question.ofAnyTime(id, known.partition()), known));
  }

  private CompletableFuture<Lookup> recall(Question question, Place known) {
    return reader
        .read(known)
        .thenCompose(
            found -> {
              if (!isDuplicate(question, found)) {
                return CompletableFuture.completedFuture(recalled(question, known, found));
              }
              Place named = named(known, originalOf(found));
              return named == null
                  ? notNow("where the first reply stands isn't known")
                  : reader.read(named).thenApply(original -> recalled(question, named, original));
            });
  }

  private static Lookup recalled(Question question, Place place, ReplyReader.Found found) {
    return stands(question, found) || found instanceof ReplyReader.Found.Gone
        ? given(question, place, found)
        : ABSENT;
  }

  /**
   * The reply that a duplicate, just written to a place, stands for: Found, Unreadable, Gone or
   * NotNow. Never blocks, never fails.
   */
  CompletionStage<Lookup> original(ReplyEnvelope duplicate, Place place) {
    Question question = Question.ofAnyTime(duplicate.id(), place.partition());
    return explained(
        () -> {
          Place known = index.get(duplicate.id());
          if (known == null || known.equals(place)) {
            return original(question, place, place, duplicate.original());
          }
          // An earlier one, or one in another partition. Of two that are no duplicates the first
          // stands, so it goes before the one that the service remembers.
          return reader
              .read(known)
              .thenCompose(
                  found ->
                      stands(question, found)
                          ? completed(given(question, known, found))
                          : original(question, place, known, duplicate.original()));
        });
  }

  /** One of those that are counted, so that there can't be any number of them. */
  private CompletionStage<Lookup> counted(Supplier<CompletableFuture<Lookup>> lookup) {
    if (!backfill.isDone() || backfill.isCompletedExceptionally()) {
      return notNow("this gateway does not follow the replies yet");
    }
    if (waiting.incrementAndGet() > MAX_WAITING) {
      waiting.decrementAndGet();
      return notNow(MAX_WAITING + " others ask at this moment");
    }
    return explained(lookup).whenComplete((unused, failure) -> waiting.decrementAndGet());
  }

  private static CompletableFuture<Lookup> explained(Supplier<CompletableFuture<Lookup>> lookup) {
    CompletableFuture<Lookup> answer;
    try {
      answer = lookup.get();
    } catch (RejectedExecutionException e) {
      return notNow("the gateway is stopping");
    } catch (RuntimeException e) {
      answer = CompletableFuture.failedFuture(e);
    }
    return answer.exceptionally(failure -> new Lookup.NotNow(reason(failure)));
  }

  private static CompletableFuture<Lookup> notNow(String reason) {
    return completed(new Lookup.NotNow(reason));
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
    return notNow("Kafka did not say in time how far the replies go");
  }

  private boolean isFilled() {
    return backfill.isDone()
        && !backfill.isCompletedExceptionally()
        && backfill.join().ended().isDone();
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
    Place known = view.place();
    if (question.since() > view.completeSince() || known != null && isFilled()) {
      return decided(question, view);
    }
    // The filling takes its time. What is known already may be a second reply: the first stands.
    long end = Math.min(view.completeFrom(), feed.position(question.partition()));
    return search(question, end, known)
        .thenCompose(
            found -> known != null && !isThere(found) ? read(question, known) : completed(found));
  }

  private static boolean isThere(Lookup found) {
    return found instanceof Lookup.Found
        || found instanceof Lookup.Unreadable
        || found instanceof Lookup.NotNow;
  }

  private CompletableFuture<Lookup> decided(Question question, ReplyIndex.View view) {
    return view.place() == null ? completed(ABSENT) : read(question, view.place());
  }

  private CompletableFuture<Lookup> search(Question question, long end, @Nullable Place wrong) {
    return search
        .find(question.partition(), question.id(), question.since(), end)
        .thenCompose(
            result -> {
              Place place = result.place();
              if (place == null) {
                boolean never = result.wholeIsThere() || isYoung(question);
                return completed(never ? ABSENT : NONE_LEFT);
              }
              if (wrong != null) {
                index.correct(question.id(), wrong, place);
              }
              return reader
                  .read(place)
                  .thenCompose(
                      found ->
                          isDuplicate(question, found)
                              ? original(question, place, place, originalOf(found))
                              : completed(given(question, place, found)));
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
            found -> {
              if (stands(question, found)) {
                return completed(given(question, place, found));
              } else if (isDuplicate(question, found)) {
                return original(question, place, place, originalOf(found));
              }
              return elsewhere(question, place, found);
            });
  }

  /**
   * What the index says is not so any more: the reply was deleted, and its id perhaps used again,
   * or the topic was made anew. Where there is no other the reply was there and is gone; that two
   * ids are alike in the index and the second has no reply yet is less likely than all else.
   */
  private CompletableFuture<Lookup> elsewhere(
      Question question, Place place, ReplyReader.Found found) {
    if (found instanceof ReplyReader.Found.Gone && !isYoung(question)) {
      return completed(GONE);
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

  /**
   * The reply that a duplicate names, or the first that is none where it names none: its service
   * doesn't know the place, or has another that is not what it says.
   *
   * @param wrong where the index has the duplicate, or what was there before it
   * @param offset what the duplicate says; NONE for nothing
   */
  private CompletableFuture<Lookup> original(
      Question question, Place duplicate, Place wrong, long offset) {
    Place place = named(duplicate, offset);
    if (place == null) {
      return anyOriginal(question, duplicate, wrong);
    }
    return reader
        .read(place)
        .thenCompose(
            found -> {
              if (found instanceof ReplyReader.Found.Gone) {
                return completed(GONE);
              } else if (!stands(question, found)) {
                return anyOriginal(question, duplicate, wrong);
              }
              index.correct(question.id(), wrong, place);
              return completed(given(question, place, found));
            });
  }

  /** The place that a duplicate says; null where it says none, or one that can't be right. */
  private static @Nullable Place named(Place duplicate, long offset) {
    return offset == ReplyEnvelope.NONE || offset >= duplicate.offset()
        ? null
        : new Place(duplicate.partition(), offset);
  }

  /** The first in all of the partition that is no duplicate. */
  private CompletableFuture<Lookup> anyOriginal(Question question, Place duplicate, Place wrong) {
    int partition = duplicate.partition();
    return search
        .findOriginal(partition, question.id(), feed.position(partition))
        .thenCompose(
            result -> {
              Place place = result.place();
              if (place == null) {
                return completed(GONE);
              }
              index.correct(question.id(), wrong, place);
              return reader.read(place).thenApply(found -> given(question, place, found));
            });
  }

  /** Whether this record is this request's and ends it: the reply, or what can't be read as one. */
  private static boolean stands(Question question, ReplyReader.Found found) {
    return !(found instanceof ReplyReader.Found.Gone)
        && !isAnothers(question, found)
        && !isDuplicate(question, found);
  }

  private static boolean isDuplicate(Question question, ReplyReader.Found found) {
    return found instanceof ReplyReader.Found.Reply reply
        && reply.reply().id().equals(question.id())
        && reply.reply().outcome() == ReplyOutcome.DUPLICATE;
  }

  private static long originalOf(ReplyReader.Found found) {
    return found instanceof ReplyReader.Found.Reply reply
        ? reply.reply().original()
        : ReplyEnvelope.NONE;
  }

  /** Also where it is the refusal of another request that has come under the same id. */
  private static boolean isAnothers(Question question, ReplyReader.Found found) {
    if (found instanceof ReplyReader.Found.Reply reply) {
      return !reply.reply().id().equals(question.id())
          || reply.reply().outcome() == ReplyOutcome.MISMATCH;
    }
    return found instanceof ReplyReader.Found.Unreadable unreadable
        && !question.id().equals(unreadable.id());
  }

  private static Lookup given(Question question, Place place, ReplyReader.Found found) {
    if (!stands(question, found)) {
      return GONE;
    }
    return found instanceof ReplyReader.Found.Reply reply
        ? new Lookup.Found(reply.reply(), place.partition(), place.offset())
        : new Lookup.Unreadable(place.partition(), place.offset());
  }

  private static CompletableFuture<Lookup> completed(Lookup lookup) {
    return CompletableFuture.completedFuture(lookup);
  }
}
