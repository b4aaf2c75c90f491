package dev.tideover.sdk.internal;

import dev.tideover.sdk.Backoff;
import dev.tideover.sdk.ConsumerListener;
import dev.tideover.sdk.Inbox;
import dev.tideover.sdk.OnExhausted;
import dev.tideover.sdk.Ordering;
import dev.tideover.sdk.RequestHandler;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What the builder was told, checked by it. Immutable.
 *
 * @param instance the instance's name, random where the user gave none
 * @param named whether the user gave it
 * @param properties Kafka client settings of the user's
 * @param idempotencyWindow for which a finished request with an idempotency key is known
 * @param infrastructureFault what else is nobody's request's fault, by the user's own judgement
 * @param replyTopics the only topics that replies may go to; empty where the user named none
 * @param inbox the user's own, or null
 * @param executor the user's own, or null
 * @param meters the user's, or null
 * @param listener the user's, or null
 */
public record Settings(
    String service,
    String version,
    String instance,
    boolean named,
    String bootstrapServers,
    Map<String, String> properties,
    RequestHandler handler,
    int concurrency,
    int attempts,
    Backoff backoff,
    Duration startTimeout,
    Duration drainTimeout,
    Duration handlerTimeout,
    Ordering ordering,
    OnExhausted onExhausted,
    Duration idempotencyWindow,
    Predicate<Throwable> infrastructureFault,
    List<String> replyTopics,
    @Nullable Inbox inbox,
    @Nullable Executor executor,
    @Nullable MeterRegistry meters,
    @Nullable ConsumerListener listener) {

  /** The same with another executor. */
  Settings withExecutor(Executor other) {
    return new Settings(
        service,
        version,
        instance,
        named,
        bootstrapServers,
        properties,
        handler,
        concurrency,
        attempts,
        backoff,
        startTimeout,
        drainTimeout,
        handlerTimeout,
        ordering,
        onExhausted,
        idempotencyWindow,
        infrastructureFault,
        replyTopics,
        inbox,
        other,
        meters,
        listener);
  }

  String requestTopic() {
    return service + ".requests";
  }

  String deadTopic() {
    return service + ".dead";
  }

  /** Whether a reply may go to this topic. */
  boolean mayReplyTo(String topic) {
    return replyTopics.isEmpty() ? !isInputOrState(topic) : replyTopics.contains(topic);
  }

  /** What somebody reads as requests or as state: a reply there could do harm. */
  private static boolean isInputOrState(String topic) {
    return topic.endsWith(".requests")
        || topic.endsWith(".dead")
        || topic.endsWith(".ledger")
        || topic.endsWith(".members")
        || topic.equals("tideover.control")
        || topic.startsWith("__");
  }

  /** Who this is, in replies, dead letters and to Kafka's tools. */
  String by() {
    return service + "/" + version + "/" + instance;
  }
}
