package dev.tideover.gateway.exchange;

import dev.tideover.wire.HttpFields;
import io.vertx.core.Future;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A request as it comes in: its head is there, its body may still be on the way. */
public interface Inbound {

  String method();

  /** The target as the client wrote it. */
  String target();

  String scheme();

  /** Fails with {@link RejectedException} where the client addressed no one host. */
  String authority();

  /** End-to-end fields only; fails with {@link RejectedException} for one that can't be read. */
  HttpFields fields();

  /**
   * The client's Idempotency-Key, without quotes; null for none. Fails with {@link
   * RejectedException} for one that can't be read.
   */
  @Nullable String idempotencyKey();

  /** How long the client wants to wait, from {@code Prefer}; null where it doesn't say. */
  @Nullable Duration preferredWait();

  /** Whether it said {@code Prefer: respond-async}. */
  boolean respondAsync();

  /**
   * The whole body. To be called at once, on the request's event loop.
   *
   * @param limit bytes
   * @return fails with {@link RejectedException} for one that is larger or comes too slowly
   */
  Future<byte[]> body(long limit);

  /**
   * Lets go of what is in the record now: the header fields. Very many may wait for a long time,
   * and each would keep them.
   */
  void release();
}
