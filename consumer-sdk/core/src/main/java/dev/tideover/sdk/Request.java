package dev.tideover.sdk;

import dev.tideover.wire.HttpFields;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A request as the handler sees it: what the client sent, byte for byte, and where it stands.
 * Immutable; safe for any thread. Not for implementation by production code, but a test of a
 * handler may well implement it.
 */
public interface Request {

  /**
   * The request's name, 22 characters. It stays the same through retries, redeliveries and resends
   * under one Idempotency-Key, so it is the key for making an effect happen once.
   */
  String id();

  /** The HTTP method. */
  String method();

  /** The canonical path without the query. */
  String path();

  /** What stood behind the {@code ?}, undecoded. */
  Optional<String> query();

  /** The end-to-end header fields, in order, repeated where they were repeated. */
  HttpFields fields();

  /** The value of the first field with this name, in any case. */
  default Optional<String> header(String name) {
    return Optional.ofNullable(fields().first(name.toLowerCase(Locale.ROOT)));
  }

  /** The values of all fields with this name, in any case; often empty. */
  default List<String> headers(String name) {
    return fields().all(name.toLowerCase(Locale.ROOT));
  }

  /** The content, byte for byte; a new copy with each call. Empty for none. */
  byte[] body();

  /** The content as UTF-8 text; what isn't UTF-8 becomes U+FFFD. */
  default String text() {
    return new String(body(), StandardCharsets.UTF_8);
  }

  /**
   * The content read as JSON. Unknown properties are ignored; {@code java.time} is understood.
   *
   * @throws MalformedBodyException if the content isn't JSON that fits the type. A handler that
   *     lets it pass answers 400; there is no retry, since the content won't change
   * @throws IllegalArgumentException if Jackson can't read into such a type at all
   */
  default <T> T json(Class<T> type) {
    return Json.read(body(), type);
  }

  /** The key under which requests are handled one at a time, if the route has one. */
  Optional<String> orderingKey();

  /** Which attempt this is: 1, and one more for each that has failed, also in other instances. */
  int attempt();

  /** When the gateway took it in, by the gateway's clock. */
  Instant acceptedAt();

  /** After it nobody wants the answer. A request past it isn't handed to the handler. */
  Optional<Instant> deadline();

  /** What is left until the deadline, by this machine's clock; zero where it has passed. */
  default Optional<Duration> remaining() {
    return deadline()
        .map(at -> Duration.between(Instant.now(), at))
        .map(left -> left.isNegative() ? Duration.ZERO : left);
  }

  /**
   * What it asks for, in 32 hex digits: a hash of its method, path, query, content type, ordering
   * key and content. A resend under the same Idempotency-Key has the same one.
   */
  String fingerprint();

  /**
   * How often an operator has had it handled anew, having found it in the dead-letter topic: 0 for
   * never. With an {@link Inbox}, a request that has failed for good begins again only with a
   * higher number here.
   */
  default int replay() {
    return 0;
  }

  /**
   * Whether its handling was begun by a version that a release tries out. A reply with a status of
   * 500 and up is then not for good: what has failed is tried again, or handled by the version
   * before. An {@link Inbox} must not keep such a reply; a handler needn't care.
   */
  default boolean onTrial() {
    return false;
  }

  /** The topic of its record. */
  String topic();

  /** The partition of its record. */
  int partition();

  /** The offset of its record. */
  long offset();
}
