package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.*;
import java.time.Instant;
import java.util.concurrent.*;
import org.jspecify.annotations.Nullable;

/** Stub. */
public final class ReplyStore implements AutoCloseable, ReplyFeed.Listener {
  public sealed interface Lookup {
    record Found(ReplyEnvelope reply, int partition, long offset) implements Lookup {}

    record Unreadable(int partition, long offset) implements Lookup {}

    record Absent() implements Lookup {}

    record Gone() implements Lookup {}

    record NotNow(String reason) implements Lookup {}
  }

  private final ConcurrentHashMap<RequestId, long[]> index = new ConcurrentHashMap<>();
  private final ReplyReader reader;
  private final ReplyFeed feed;
  private final ReplyFeed.Listener listener;

  private ReplyStore(GatewayConfig config, ReplyFeed.Listener listener) {
    this.listener = listener;
    reader = new ReplyReader(config);
    feed = ReplyFeed.start(config, this);
  }

  public static ReplyStore start(GatewayConfig config, ReplyFeed.Listener listener) {
    return new ReplyStore(config, listener);
  }

  public CompletionStage<@Nullable Void> ready() {
    return feed.ready();
  }

  public boolean isFollowing() {
    return feed.isFollowing();
  }

  @Override
  public void onReply(ReplyEnvelope r, int p, long o) {
    index.putIfAbsent(r.id(), new long[] {p, o});
    listener.onReply(r, p, o);
  }

  @Override
  public void onUnreadable(RequestId id, WireFormatException e, int p, long o) {
    index.putIfAbsent(id, new long[] {p, o});
    listener.onUnreadable(id, e, p, o);
  }

  public CompletionStage<Lookup> find(RequestId id, Instant acceptedAt) {
    long[] place = index.get(id);
    if (place == null) return CompletableFuture.completedFuture(new Lookup.Absent());
    return reader
        .read((int) place[0], place[1])
        .<Lookup>thenApply(
            f ->
                f instanceof ReplyReader.Found.Reply r && r.reply().id().equals(id)
                    ? new Lookup.Found(r.reply(), (int) place[0], place[1])
                    : f instanceof ReplyReader.Found.Unreadable
                        ? new Lookup.Unreadable((int) place[0], place[1])
                        : new Lookup.Gone())
        .exceptionally(e -> new Lookup.NotNow("stub"));
  }

  @Override
  public void close() {
    feed.close();
    reader.close();
  }
}
