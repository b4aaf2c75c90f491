package dev.tideover.sdk.internal;

import dev.tideover.sdk.Backoff;
import dev.tideover.sdk.Inbox;
import dev.tideover.sdk.OnExhausted;
import dev.tideover.sdk.Ordering;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.RequestHandler;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;

/** What the builder would have made, for tests of parts. */
public final class TestSettings {

  public static Settings of(String bootstrapServers, String service, String instance) {
    return of(bootstrapServers, service, instance, Map.of(), Duration.ofSeconds(15));
  }

  static Settings of(
      String bootstrapServers,
      String service,
      String instance,
      Map<String, String> properties,
      Duration startTimeout) {
    return of(
        bootstrapServers,
        service,
        instance,
        properties,
        startTimeout,
        request -> Outcome.reply(204),
        null,
        null);
  }

  /** With a handler, an inbox or null, and the threads it runs on. */
  static Settings handling(
      String bootstrapServers,
      String service,
      RequestHandler handler,
      Inbox inbox,
      Executor executor) {
    return of(
        bootstrapServers,
        service,
        "one",
        Map.of(),
        Duration.ofSeconds(15),
        handler,
        inbox,
        executor);
  }

  private static Settings of(
      String bootstrapServers,
      String service,
      String instance,
      Map<String, String> properties,
      Duration startTimeout,
      RequestHandler handler,
      Inbox inbox,
      Executor executor) {
    return new Settings(
        service,
        "v1",
        instance,
        true,
        bootstrapServers,
        properties,
        handler,
        64,
        5,
        new Backoff(Duration.ofMillis(20), Duration.ofMillis(50)),
        startTimeout,
        Duration.ofSeconds(30),
        Duration.ofSeconds(30),
        Ordering.KEY,
        OnExhausted.CONTINUE,
        Duration.ofHours(1),
        failure -> false,
        List.of(),
        inbox,
        executor,
        null,
        null);
  }

  private TestSettings() {}
}
