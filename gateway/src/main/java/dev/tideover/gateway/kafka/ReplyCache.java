package dev.tideover.gateway.kafka;

import com.github.benmanes.caffeine.cache.AsyncCache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.tideover.gateway.kafka.ReplyIndex.Place;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * In front of the {@link ReplyReader}, which it owns: one read for all who ask for a reply at a
 * time, and none for those that were read within the last 5 s, up to 16 MiB of them: not longer, so
 * that all gateways of a cell agree soon on what is deleted. Safe for any thread.
 */
final class ReplyCache implements AutoCloseable {

  private static final Duration LIMIT = Duration.ofSeconds(2);
  private static final long BYTES = 16 << 20;
  private static final Duration KEPT = Duration.ofSeconds(5);

  /** What a reply has besides its body: its objects and a field line, about. */
  private static final int REPLY_BYTES = 500;

  private static final int FIELD_BYTES = 100;

  private final ReplyReader reader;
  private final AtomicLong reads = new AtomicLong();
  private final AsyncCache<Place, ReplyReader.Found> cache;

  /**
   * An empty cache.
   *
   * @param executor does the cache's housekeeping
   */
  ReplyCache(ReplyReader reader, Executor executor) {
    this.reader = reader;
    this.cache =
        Caffeine.newBuilder()
            .maximumWeight(BYTES)
            .expireAfterWrite(KEPT)
            .weigher((Place place, ReplyReader.Found found) -> weight(found))
            .executor(executor)
            .buildAsync();
  }

  private static int weight(ReplyReader.Found found) {
    return found instanceof ReplyReader.Found.Reply reply
        ? REPLY_BYTES + reply.reply().body().length + FIELD_BYTES * reply.reply().fields().size()
        : REPLY_BYTES;
  }

  /**
   * The reply at a place.
   *
   * @return fails where it isn't there within 2 s, with a {@link
   *     java.util.concurrent.TimeoutException}; the read goes on, so that it is there when somebody
   *     asks again
   */
  CompletableFuture<ReplyReader.Found> read(Place place) {
    CompletableFuture<ReplyReader.Found> flight =
        cache.get(
            place,
            (wanted, unused) -> {
              reads.incrementAndGet();
              return reader.read(wanted);
            });
    return flight
        .whenComplete(
            (found, failure) -> {
              // Not worth a place, and an id that comes again may bring another.
              if (found instanceof ReplyReader.Found.Gone) {
                cache.asMap().remove(place, flight);
              }
            })
        .orTimeout(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Whether replies can still be read. */
  boolean isReading() {
    return reader.isReading();
  }

  /** How often Kafka was asked for a reply. */
  long reads() {
    return reads.get();
  }

  @Override
  public void close() {
    reader.close();
  }
}
