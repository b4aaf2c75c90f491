package dev.tideover.gateway.release;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ControlTopic;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.InstanceReport.Counts;
import dev.tideover.wire.InstanceReport.State;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Instances of a service that follow the control topic and handle nothing. */
final class FakeInstances implements AutoCloseable {

  private static final long REPORT_MILLIS = 200;

  /** One of them. */
  private static final class Fake {
    final String version;
    final String name;
    volatile Counts counts = Counts.NONE;
    State state = State.STANDBY;

    Fake(String version, String name) {
      this.version = version;
      this.name = name;
    }
  }

  private final TestKafka kafka;
  private final String service;
  private final ControlTopic topic;
  private final Map<String, Fake> fakes = new ConcurrentHashMap<>();
  private final ScheduledThreadPoolExecutor executor = new ScheduledThreadPoolExecutor(1);

  private FakeInstances(TestKafka kafka, GatewayConfig config, String service) {
    this.kafka = kafka;
    this.service = service;
    this.topic = ControlTopic.start(config, state -> executor.execute(this::report));
  }

  static FakeInstances start(TestKafka kafka, GatewayConfig config, String service)
      throws ExecutionException, TimeoutException, InterruptedException {
    FakeInstances instances = new FakeInstances(kafka, config, service);
    instances.topic.ready().toCompletableFuture().get(20, TimeUnit.SECONDS);
    var unused =
        instances.executor.scheduleAtFixedRate(
            instances::report, 0, REPORT_MILLIS, TimeUnit.MILLISECONDS);
    return instances;
  }

  void add(String version, String name) {
    fakes.put(version + "/" + name, new Fake(version, name));
  }

  /** From now on it reports these. */
  void counts(String key, Counts counts) {
    fakes.get(key).counts = counts;
  }

  /** It falls silent. */
  void crash(String key) {
    fakes.remove(key);
  }

  private void report() {
    DesiredState wanted = topic.desired(service);
    for (Fake fake : fakes.values()) {
      fake.state = next(fake, wanted);
      kafka.produce(
          ControlCodec.encode(
              new InstanceReport(
                  service,
                  fake.version,
                  fake.name,
                  "run",
                  fake.state,
                  wanted == null ? 0 : wanted.epoch(),
                  0,
                  fake.counts)));
    }
  }

  private static State next(Fake fake, @Nullable DesiredState wanted) {
    if (wanted != null && !wanted.isActive(fake.version)) {
      return State.STANDBY;
    } else if (fake.state == State.STANDBY) {
      return State.JOINING;
    }
    return wanted != null && wanted.holds() ? State.DRAINED : State.ACTIVE;
  }

  @Override
  public void close() {
    executor.shutdownNow();
    topic.close();
  }
}
