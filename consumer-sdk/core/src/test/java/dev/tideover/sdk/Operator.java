package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.InstanceReport.State;
import dev.tideover.wire.WireFormatException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.jspecify.annotations.Nullable;

/**
 * The gateway's part in holds and releases: writes what is wanted of a service, one after the
 * other, and hears what its instances say of themselves. For one thread.
 */
final class Operator {

  private static final TopicPartition TOPIC = new TopicPartition(DesiredState.TOPIC, 0);

  private final TestKafka kafka;
  private final String service;
  private final Consumer<byte[], byte[]> reader;
  private final Map<String, InstanceReport> latest = new HashMap<>();
  private final List<InstanceReport> heard = new ArrayList<>();
  private @Nullable DesiredState wanted;

  Operator(TestKafka kafka, String service) {
    this.kafka = kafka;
    this.service = service;
    createTopic(kafka);
    reader = kafka.consumer(service + "-operator");
    reader.assign(List.of(TOPIC));
    reader.seekToEnd(List.of(TOPIC));
    reader.position(TOPIC);
  }

  /** Whoever comes first makes the topic: another test, or an instance. */
  private static void createTopic(TestKafka kafka) {
    NewTopic topic = new NewTopic(DesiredState.TOPIC, 1, (short) 1);
    try {
      kafka
          .admin()
          .createTopics(List.of(topic.configs(Map.of("cleanup.policy", "compact"))))
          .all()
          .get(30, TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException failed) {
      assertThat(failed).hasCauseInstanceOf(TopicExistsException.class);
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }

  /** The epoch of what is wanted now. */
  long epoch() {
    return wanted == null ? 0 : wanted.epoch();
  }

  long hold(boolean held) {
    return write(active(), held, rate(), release());
  }

  long rate(int perSecond) {
    return write(active(), wanted != null && wanted.held(), perSecond, release());
  }

  /** Only this version is to work, without further ado. */
  long activate(@Nullable String version) {
    return write(version, false, rate(), null);
  }

  /** A step of a release. */
  long release(String from, String to, Step step) {
    boolean back =
        step == Step.PREPARE
            || step == Step.DRAIN
            || step == Step.RESTORE
            || step == Step.ROLLED_BACK
            || step == Step.ABANDONED;
    Release release = new Release("r", from, to, step, 1, 1, 10_000, 60_000, 30_000, 1, "");
    return write(back ? from : to, false, rate(), release);
  }

  private @Nullable String active() {
    return wanted == null ? null : wanted.activeVersion();
  }

  private int rate() {
    return wanted == null ? 0 : wanted.rate();
  }

  private @Nullable Release release() {
    return wanted == null ? null : wanted.release();
  }

  private long write(@Nullable String active, boolean held, int rate, @Nullable Release release) {
    DesiredState next =
        new DesiredState(service, epoch() + 1, "command", "test", 1, active, held, rate, release);
    kafka.produce(ControlCodec.encode(next));
    wanted = next;
    return next.epoch();
  }

  /** The last report of each instance that hasn't said that it has ended, by its key. */
  Map<String, InstanceReport> reports() {
    hear();
    return Map.copyOf(latest);
  }

  /** All reports since this was made, in their order. */
  List<InstanceReport> heard() {
    hear();
    return List.copyOf(heard);
  }

  private void hear() {
    long end = reader.endOffsets(List.of(TOPIC)).get(TOPIC);
    while (reader.position(TOPIC) < end) {
      for (ConsumerRecord<byte[], byte[]> record : reader.poll(Duration.ofMillis(100))) {
        take(record);
      }
    }
  }

  private void take(ConsumerRecord<byte[], byte[]> record) {
    try {
      ControlCodec.Entry entry = ControlCodec.decode(record);
      if (entry instanceof ControlCodec.Entry.Report report
          && report.report().service().equals(service)) {
        latest.put(report.report().key(), report.report());
        heard.add(report.report());
      } else if (entry instanceof ControlCodec.Entry.Ended ended) {
        latest.remove(ended.key());
      }
    } catch (WireFormatException unreadable) {
      throw new AssertionError("an unreadable report was sent", unreadable);
    }
  }

  /** Waits until all instances of the version are in this state, and go by what is wanted now. */
  void await(String version, int instances, State state) {
    TestService.await()
        .until(
            () ->
                reports().values().stream()
                    .filter(
                        report ->
                            report.version().equals(version)
                                && report.state() == state
                                && report.epochSeen() >= epoch())
                    .count(),
            count -> count == instances);
  }
}
