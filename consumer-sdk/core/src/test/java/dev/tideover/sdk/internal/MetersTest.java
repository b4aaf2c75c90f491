package dev.tideover.sdk.internal;

import static java.util.stream.Collectors.joining;
import static java.util.stream.Collectors.toCollection;
import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.HeadOfLine;
import dev.tideover.sdk.internal.Meters.Outcome;
import dev.tideover.sdk.internal.Meters.Partition;
import dev.tideover.sdk.internal.Meters.Snapshot;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.core.instrument.config.MeterFilterReply;
import io.micrometer.core.instrument.search.RequiredSearch;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class MetersTest {

  private static final Path PAGE = Path.of("..", "..", "docs", "sdk-metrics.md");
  private static final String RULE = "|---|---|---|---|---|\n";

  private final MeterRegistry registry = new SimpleMeterRegistry();
  private final Meters meters = new Meters(registry, "orders", "v2");

  private static HeadOfLine head(int partition, long offset) {
    return new HeadOfLine(partition, offset, "id" + offset, Duration.ofMillis(1_500), 2);
  }

  private static Snapshot snapshot(Partition... partitions) {
    return new Snapshot(3, 64, 5, true, 9, 7, List.of(partitions));
  }

  private RequiredSearch get(SdkMeter meter, String... tags) {
    return registry.get(meter.meterName).tags("service", "orders", "version", "v2").tags(tags);
  }

  private double gauge(SdkMeter meter, String... tags) {
    return get(meter, tags).gauge().value();
  }

  @Test
  void countsAndMeasures() {
    meters.handled(Outcome.TIMEOUT, TimeUnit.SECONDS.toNanos(30));
    InstantSource clock = InstantSource.fixed(Instant.ofEpochSecond(10));
    meters.starts(0, Instant.ofEpochSecond(8), clock);
    meters.starts(0, Instant.ofEpochSecond(11), clock);
    meters.starts(1, Instant.ofEpochSecond(8), clock);
    meters.deadLetter("crash-loop");
    meters.deadLetter("a reason that nobody thought of");
    meters.expired();

    assertThat(get(SdkMeter.HANDLER, "outcome", "timeout").timer().totalTime(TimeUnit.SECONDS))
        .isEqualTo(30);
    assertThat(get(SdkMeter.HANDLER, "outcome", "reply").timer().count()).isZero();
    assertThat(get(SdkMeter.QUEUE).timer().count()).isEqualTo(2);
    assertThat(get(SdkMeter.QUEUE).timer().totalTime(TimeUnit.SECONDS)).isEqualTo(2);
    assertThat(get(SdkMeter.RETRIES).counter().count()).isEqualTo(1);
    assertThat(get(SdkMeter.DEAD, "reason", "crash-loop").counter().count()).isEqualTo(1);
    assertThat(get(SdkMeter.DEAD, "reason", "other").counter().count()).isEqualTo(1);
    assertThat(get(SdkMeter.EXPIRED).counter().count()).isEqualTo(1);
  }

  @Test
  void showsTheLatestSnapshot() {
    meters.snapshot(
        snapshot(new Partition(4, 0.25, 9, head(4, 100)), new Partition(5, 0, 0, null)));

    assertThat(gauge(SdkMeter.IN_FLIGHT)).isEqualTo(3);
    assertThat(gauge(SdkMeter.LIMIT)).isEqualTo(64);
    assertThat(gauge(SdkMeter.LANES_WAITING)).isEqualTo(5);
    assertThat(gauge(SdkMeter.HELD)).isEqualTo(1);
    assertThat(get(SdkMeter.EVENTS_DROPPED).functionCounter().count()).isEqualTo(7);
    assertThat(gauge(SdkMeter.WINDOW_FILL, "partition", "4")).isEqualTo(0.25);
    assertThat(gauge(SdkMeter.UNFINISHED, "partition", "4")).isEqualTo(9);
    assertThat(gauge(SdkMeter.HEAD_AGE, "partition", "4")).isEqualTo(1.5);
    assertThat(gauge(SdkMeter.HEAD_ATTEMPTS, "partition", "4")).isEqualTo(2);
    assertThat(gauge(SdkMeter.HEAD_AGE, "partition", "5")).isZero();
    assertThat(meters.headOfLine()).containsExactly(head(4, 100));

    meters.snapshot(snapshot(new Partition(4, 0.25, 1, null)));
    assertThat(gauge(SdkMeter.HEAD_AGE, "partition", "4")).isZero();
    assertThat(meters.headOfLine()).isEmpty();
  }

  @Test
  void theGaugesOfAPartitionGoWithIt() {
    meters.snapshot(snapshot(new Partition(4, 0, 0, null), new Partition(5, 0, 0, null)));
    meters.snapshot(snapshot(new Partition(5, 0, 0, null)));
    assertThat(partitionsShown()).containsExactly("5");
    meters.snapshot(snapshot(new Partition(4, 0, 2, null)));
    assertThat(partitionsShown()).containsExactly("4");
    assertThat(gauge(SdkMeter.UNFINISHED, "partition", "4")).isEqualTo(2);
  }

  private Set<String> partitionsShown() {
    return registry.getMeters().stream()
        .map(meter -> meter.getId().getTag("partition"))
        .filter(partition -> partition != null)
        .collect(toCollection(TreeSet::new));
  }

  @Test
  void closeTakesAllGaugesAndKeepsWhatWasCounted() {
    meters.expired();
    meters.snapshot(snapshot(new Partition(4, 0, 0, null)));
    meters.close();
    assertThat(registered())
        .extracting(Meter.Id::getType)
        .doesNotContain(Meter.Type.GAUGE)
        .contains(Meter.Type.COUNTER, Meter.Type.TIMER);
    assertThat(get(SdkMeter.EXPIRED).counter().count()).isEqualTo(1);

    Meters next = new Meters(registry, "orders", "v2");
    next.snapshot(snapshot());
    assertThat(gauge(SdkMeter.LIMIT)).isEqualTo(64);
  }

  @Test
  void aPartitionMovesBetweenTwoConsumersOfOneJvm() {
    Meters other = new Meters(registry, "orders", "v2");
    meters.snapshot(snapshot(new Partition(4, 0, 1, null)));
    other.snapshot(snapshot(new Partition(4, 0, 2, null)));
    meters.snapshot(snapshot());
    other.snapshot(snapshot(new Partition(4, 0, 3, null)));
    assertThat(gauge(SdkMeter.UNFINISHED, "partition", "4")).isEqualTo(3);
    other.close();
    assertThat(gauge(SdkMeter.IN_FLIGHT)).isEqualTo(3);
  }

  @Test
  void aRegistryThatRefusesDoesNotStopTheEngine() {
    registry
        .config()
        .meterFilter(
            new MeterFilter() {
              @Override
              public MeterFilterReply accept(Meter.Id id) {
                if (id.getTag("partition") != null) {
                  throw new IllegalArgumentException("broken");
                }
                return MeterFilterReply.NEUTRAL;
              }
            });
    meters.snapshot(snapshot(new Partition(4, 0, 1, head(4, 8))));
    assertThat(gauge(SdkMeter.IN_FLIGHT)).isEqualTo(3);
    assertThat(meters.headOfLine()).containsExactly(head(4, 8));
  }

  @Test
  void withoutARegistryThereIsStillTheHeadOfLine() {
    Meters none = new Meters(null, "orders", "v2");
    none.handled(Outcome.REPLY, 1);
    none.starts(0, Instant.EPOCH, InstantSource.system());
    none.deadLetter("failed");
    none.expired();
    none.snapshot(snapshot(new Partition(4, 0, 1, head(4, 8))));
    assertThat(none.headOfLine()).containsExactly(head(4, 8));
    none.close();
    assertThat(none.headOfLine()).isEmpty();
  }

  @Test
  void everyMeterIsRegisteredAsItIsDescribedAndNoOther() {
    meters.snapshot(snapshot(new Partition(4, 0, 0, null)));
    Set<String> names = registered().stream().map(Meter.Id::getName).collect(toSet());
    assertThat(names)
        .containsExactlyInAnyOrderElementsOf(
            Arrays.stream(SdkMeter.values()).map(each -> each.meterName).toList());
    for (SdkMeter meter : SdkMeter.values()) {
      Meter.Id id = registry.get(meter.meterName).meters().iterator().next().getId();
      List<String> tags = new ArrayList<>(List.of("service", "version"));
      tags.addAll(meter.tags);
      assertThat(id.getTags()).extracting(Tag::getKey).containsExactlyInAnyOrderElementsOf(tags);
      assertThat(id.getDescription()).isEqualTo(meter.description);
      assertThat(id.getType()).isEqualTo(typeOf(meter.kind));
      assertThat(id.getBaseUnit()).isEqualTo(meter.unit);
    }
  }

  /** Without the gauges that the registry makes of a timer's buckets. */
  private List<Meter.Id> registered() {
    return registry.getMeters().stream()
        .map(Meter::getId)
        .filter(id -> id.syntheticAssociation() == null)
        .toList();
  }

  private static Meter.Type typeOf(SdkMeter.Kind kind) {
    return switch (kind) {
      case TIMER -> Meter.Type.TIMER;
      case COUNTER -> Meter.Type.COUNTER;
      case GAUGE, PARTITION_GAUGE -> Meter.Type.GAUGE;
    };
  }

  @Test
  void thePageHasTheTable() throws IOException {
    String page = Files.readString(PAGE);
    int from = page.indexOf(RULE) + RULE.length();
    int to = page.indexOf("\n\n", from - 1) + 1;
    String expected = Arrays.stream(SdkMeter.values()).map(MetersTest::row).collect(joining());
    if (Boolean.getBoolean("tideover.docs.write")) {
      Files.writeString(PAGE, page.substring(0, from) + expected + page.substring(to));
      return;
    }
    assertThat(page.substring(from, to))
        .as("docs/sdk-metrics.md; -Dtideover.docs.write=true on this test writes it anew")
        .isEqualTo(expected);
  }

  private static String row(SdkMeter meter) {
    String kind = meter.kind == SdkMeter.Kind.PARTITION_GAUGE ? "gauge" : meter.kind.name();
    return "| `%s` | %s | %s | %s | %s |%n"
        .formatted(
            meter.meterName,
            kind.toLowerCase(Locale.ROOT),
            meter.unit == null ? "" : meter.unit,
            meter.tags.stream().map(tag -> "`" + tag + "`").collect(joining(", ")),
            meter.description)
        .replace("\r\n", "\n");
  }
}
