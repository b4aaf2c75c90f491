package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;

/** The configuration of a gateway in front of one service. */
final class TestConfig {

  static GatewayConfig of(
      String bootstrapServers, String service, int partitions, String retention) {
    String yaml =
        """
        kafka: { bootstrap-servers: "%s" }
        services:
          %s:
            topic: { partitions: %d, retention: %s }
            routes: [ { path: /** } ]
        """
            .formatted(bootstrapServers, service, partitions, retention);
    return ConfigFile.parse(yaml, "test", variable -> null);
  }

  private TestConfig() {}
}
