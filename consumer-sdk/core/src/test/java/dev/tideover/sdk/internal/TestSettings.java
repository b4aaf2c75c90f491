package dev.tideover.sdk.internal;

import dev.tideover.sdk.Backoff;
import dev.tideover.sdk.OnExhausted;
import dev.tideover.sdk.Ordering;
import dev.tideover.sdk.Outcome;
import java.time.Duration;
import java.util.List;
import java.util.Map;

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
    return new Settings(
        service,
        "v1",
        instance,
        true,
        bootstrapServers,
        properties,
        request -> Outcome.reply(204),
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
        null,
        null,
        null,
        null);
  }

  private TestSettings() {}
}
