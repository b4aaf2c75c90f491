package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.config.GatewayConfig;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ServiceBacklogTest {

  private static final Instant START = Instant.parse("2026-11-24T10:00:00Z");

  private final String name = "svc-" + UUID.randomUUID();
  private final TopicPartition partition = new TopicPartition(name + ".requests", 0);
  private final ServiceBacklog backlog = new ServiceBacklog(service("100m"));
  private final LogLines log = LogLines.of(ServiceBacklog.class);
  private final LogLines alarms = LogLines.of(AgeAlarm.class);
  private long seconds;

  ServiceBacklogTest() {
    backlog.update(service("100m"));
  }

  @AfterEach
  void close() {
    log.close();
    alarms.close();
  }

  private GatewayConfig.Service service(String retention) {
    return TestConfig.of("localhost:1", name, 1, retention).services().get(name);
  }

  private Instant now() {
    return START.plusSeconds(seconds);
  }

  private long nanos() {
    return TimeUnit.SECONDS.toNanos(seconds);
  }

  private ServiceBacklog.View look(long committed, long begin, long end) {
    backlog.observe(
        Map.of(partition, new BacklogProbe.Position(committed, begin, end)), nanos(), now());
    return backlog.view(now(), nanos());
  }

  private void read(long offset, Instant timestamp) {
    assertThat(backlog.due(nanos())).isEqualTo(Map.of(partition, offset));
    backlog.timestamp(0, offset, timestamp.toEpochMilli(), nanos());
  }

  @Test
  void beforeTheFirstLookNothingIsKnown() {
    ServiceBacklog.View view = backlog.view(now(), nanos());

    assertThat(view.places()).containsOnlyNulls();
    assertThat(view.ageKnown()).isFalse();
    assertThat(view.tooOld()).isFalse();
  }

  @Test
  void aGroupThatHasCommittedNothingStandsAtTheBeginOfTheLog() {
    assertThat(look(-1, 40, 100).places().get(0).committed()).isEqualTo(40);
    assertThat(log.with(name)).isEmpty();
  }

  @Test
  void aQueueThatIsEmptyHasAnAgeOfNothing() {
    ServiceBacklog.View view = look(100, 0, 100);

    assertThat(view.ageKnown()).isTrue();
    assertThat(view.oldest()).isNull();
    assertThat(backlog.due(nanos())).isEmpty();
  }

  @Test
  void aBacklogHasAnAgeOnceItsFirstRecordHasBeenRead() {
    assertThat(look(10, 0, 100).ageKnown()).isFalse();
    read(10, START.minusSeconds(600));

    ServiceBacklog.View view = backlog.view(now(), nanos());
    assertThat(view.ageKnown()).isTrue();
    assertThat(view.oldest()).isEqualTo(START.minusSeconds(600));
  }

  @Test
  void aRecordIsReadOnlyWhereTheCommitHasMovedAndNotMoreThanOnceInFiveSeconds() {
    look(10, 0, 100);
    read(10, START);
    for (seconds = 1; seconds < 20; seconds++) {
      look(10, 0, 100);
      assertThat(backlog.due(nanos())).isEmpty();
    }
    look(11, 0, 100);
    read(11, START);
    for (int i = 1; i <= 4; i++) {
      seconds++;
      look(11 + i, 0, 100);
      assertThat(backlog.due(nanos())).isEmpty();
    }
    seconds++;
    look(16, 0, 100);
    read(16, START);
  }

  /** Its last reading would be of a request that is done. */
  @Test
  void aBacklogThatFollowsADrainedOneIsAsOldAsTheMomentBetween() {
    look(10, 0, 100);
    read(10, START.minusSeconds(6_000));
    assertThat(backlog.view(now(), nanos()).tooOld()).isTrue();
    seconds = 1;
    assertThat(look(100, 0, 100).tooOld()).isFalse();
    seconds = 2;

    ServiceBacklog.View view = look(100, 0, 101);

    assertThat(view.oldest()).isEqualTo(START.plusSeconds(1));
    assertThat(view.tooOld()).isFalse();
  }

  @Test
  void whereAPartitionStoodLongAgoIsNotTold() {
    look(10, 0, 100);
    read(10, START);
    seconds = 30;
    backlog.observe(Map.of(), nanos(), now());
    assertThat(backlog.view(now(), nanos()).places()).doesNotContainNull();
    seconds = 31;
    backlog.observe(Map.of(), nanos(), now());

    ServiceBacklog.View view = backlog.view(now(), nanos());
    assertThat(view.places()).containsOnlyNulls();
    assertThat(view.oldest()).as("grows old all the same").isEqualTo(START);
  }

  @Test
  void aBacklogTooOldStopsTheService() {
    look(10, 0, 100);
    read(10, START.minus(Duration.ofMinutes(79)));
    assertThat(backlog.view(now(), nanos()).tooOld()).isFalse();
    seconds = 60;
    look(10, 0, 100);

    assertThat(backlog.view(now(), nanos()).tooOld()).isTrue();
    assertThat(alarms.with(name)).hasSize(2).last().asString().startsWith("ERROR");
  }

  @Test
  void theShorterRetentionCountsAndADifferenceIsSaidOnce() {
    look(10, 0, 100);
    read(10, START.minus(Duration.ofMinutes(40)));
    assertThat(backlog.view(now(), nanos()).tooOld()).isFalse();

    backlog.topicRetention(Duration.ofMinutes(50).toMillis());
    backlog.topicRetention(Duration.ofMinutes(50).toMillis());

    assertThat(backlog.view(now(), nanos()).tooOld()).isTrue();
    assertThat(log.with(name))
        .singleElement()
        .asString()
        .contains("says 1 h 40 min")
        .contains("keeps requests for 50 min only");
  }

  @Test
  void aTopicThatKeepsRequestsForeverIsHeldAgainstTheFile() {
    backlog.topicRetention(-1);
    look(10, 0, 100);
    read(10, START.minus(Duration.ofMinutes(81)));

    assertThat(backlog.view(now(), nanos()).tooOld()).isTrue();
    assertThat(log.with(name)).isEmpty();
  }

  @Test
  void requestsDeletedUnhandledAreAnErrorThatSaysHowManyOnce() {
    look(10, 0, 100);
    look(10, 35, 100);
    look(10, 35, 100);
    look(12, 35, 100);
    assertThat(log.with(name))
        .singleElement()
        .asString()
        .startsWith("ERROR")
        .contains(": 25 requests were deleted unhandled (partition: offsets 0: 10 to 34 of");

    look(12, 40, 100);
    assertThat(log.with(": 5 requests")).hasSize(1);
    assertThat(look(12, 40, 100).places().get(0).committed()).isEqualTo(40);
  }

  @Test
  void thoseDeletedBeforeTheGatewayStartedAreReportedToo() {
    look(10, 35, 100);

    assertThat(log.with(": 25 requests were deleted")).hasSize(1);
  }

  @Test
  void requestsDeletedBeforeAnyCommitAreReportedFromTheFirstLookOn() {
    look(-1, 5, 100);
    look(-1, 12, 100);

    assertThat(log.with(": 7 requests were deleted")).hasSize(1);
  }

  @Test
  void whatIsHandledAndThenDeletedIsNoLoss() {
    look(10, 0, 100);
    look(50, 50, 100);
    look(50, 50, 100);

    assertThat(log.with(name)).isEmpty();
  }

  @Test
  void aRefusalIsSaidOnceAndNothingIsKnownThen() {
    look(10, 0, 100);
    read(10, START.minusSeconds(6_000));
    assertThat(backlog.view(now(), nanos()).tooOld()).isTrue();

    backlog.denied("not authorized");
    backlog.denied("not authorized");

    ServiceBacklog.View view = backlog.view(now(), nanos());
    assertThat(view.places()).containsOnlyNulls();
    assertThat(view.ageKnown()).isFalse();
    assertThat(view.tooOld()).isFalse();
    assertThat(log.with(name)).singleElement().asString().startsWith("WARN").contains("describe");
    assertThat(look(20, 0, 100).places().get(0).committed()).isEqualTo(20);
  }
}
