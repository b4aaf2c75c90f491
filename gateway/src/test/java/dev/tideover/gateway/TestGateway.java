package dev.tideover.gateway;

import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import io.vertx.core.VertxOptions;
import java.io.IOException;
import java.net.URI;
import java.util.UUID;

/** A gateway on free ports in front of one service with a name of its own. */
final class TestGateway implements AutoCloseable {

  static final int PARTITIONS = 3;

  final String service;
  final Gateway gateway;

  private TestGateway(String service, Gateway gateway) {
    this.service = service;
    this.gateway = gateway;
  }

  static String uniqueService() {
    return "svc-" + UUID.randomUUID().toString().substring(0, 8);
  }

  /** Starts one whose routes are YAML flow mappings such as {@code path: /**, wait: 1s}. */
  static TestGateway start(String bootstrapServers, String... routes) {
    return start(bootstrapServers, "", "", new VertxOptions(), routes);
  }

  static TestGateway start(
      String bootstrapServers,
      String kafkaProperties,
      String limits,
      VertxOptions options,
      String... routes) {
    String service = uniqueService();
    String yaml = yaml(bootstrapServers, service, kafkaProperties, limits, routes);
    return new TestGateway(service, Gateway.start(config(yaml), options));
  }

  /** One with a whole configuration, for the service that it names. */
  static TestGateway of(String service, String yaml) {
    return new TestGateway(service, Gateway.start(config(yaml)));
  }

  static String yaml(
      String bootstrapServers,
      String service,
      String kafkaProperties,
      String limits,
      String... routes) {
    StringBuilder list = new StringBuilder();
    for (String route : routes) {
      list.append("      - {").append(route).append("}\n");
    }
    return """
    kafka: { bootstrap-servers: "%s", properties: {%s} }
    http: { host: 127.0.0.1, port: 0 }
    admin: { host: 127.0.0.1, port: 0 }
    secret: the secret of this test
    replies: { topic: %s.replies, partitions: %d, retention: 1h }
    shutdown: { delay: 0s, wait: 0s }
    services:
      %s:
        topic: { partitions: %d }
        limits: {%s}
        routes:
    """
            .formatted(
                bootstrapServers, kafkaProperties, service, PARTITIONS, service, PARTITIONS, limits)
        + list;
  }

  static GatewayConfig config(String yaml) {
    return ConfigFile.parse(yaml, "test", name -> null);
  }

  int port() {
    return gateway.port();
  }

  URI uri(String path) {
    return URI.create("http://127.0.0.1:" + port() + path);
  }

  String requests() {
    return service + ".requests";
  }

  RawHttp.Response send(String method, String target, byte[] body, String... lines)
      throws IOException {
    return RawHttp.exchange(port(), method, target, body, lines);
  }

  @Override
  public void close() {
    gateway.close();
  }
}
