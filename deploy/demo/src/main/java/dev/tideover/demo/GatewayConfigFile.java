package dev.tideover.demo;

import java.time.Duration;
import java.util.UUID;

/** The gateway's configuration for the demo: one service, one route. */
final class GatewayConfigFile {
  private GatewayConfigFile() {}

  static String text(String bootstrapServers, int httpPort, int adminPort, Duration wait) {
    return """
        kafka:
          bootstrap-servers: %s
        http: { host: 127.0.0.1, port: %d }
        admin: { host: 127.0.0.1, port: %d }
        secret: "%s"
        shutdown: { delay: 0s }
        services:
          orders:
            routes:
              - path: /orders/**
                key: path 2
                wait: %ds
            topic: { partitions: 12, replication: 1, min-insync: 1 }
        """
        .formatted(bootstrapServers, httpPort, adminPort, UUID.randomUUID(), wait.toSeconds());
  }
}
