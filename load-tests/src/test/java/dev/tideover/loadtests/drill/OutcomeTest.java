package dev.tideover.loadtests.drill;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutcomeTest {

  private final List<Sent> requests = new ArrayList<>();
  private final List<Effect> effects = new ArrayList<>();
  private final Facts facts = new Facts();

  @Test
  void whatIsPromisedAndNoMorePasses() {
    answered(1, "v1/i1", 10);

    assertThat(outcome().pass(true)).isTrue();
  }

  @Test
  void duplicatesPassOnlyWhereACrashExplainsThem() {
    answered(1, "v1/i1", 10);
    effects.add(new Effect("k", 1, "v1/i1", 20));

    assertThat(outcome().pass(true)).isFalse();
    assertThat(outcome().pass(false)).isTrue();
  }

  @Test
  void aReplyOfTheOtherVersionAfterTheReleaseIsAProblem() {
    answered(1, "v1/i1", 10);
    answered(2, "v1/i1", 20);
    facts.onlyVersion = "v2";
    facts.onlyFrom = 1;

    assertThat(outcome().pass(true)).isFalse();
    assertThat(outcome().problems())
        .containsExactly("1 requests were answered by another version than v2");
  }

  @Test
  void anEffectDuringTheHoldIsAProblem() {
    answered(1, "v1/i1", 10);
    answered(2, "v1/i1", 20);
    answered(3, "v1/i1", 30);
    facts.heldFrom = 15;
    facts.heldUntil = 25;

    assertThat(outcome().startedWhileHeld()).isEqualTo(1);
    assertThat(outcome().pass(true)).isFalse();
  }

  @Test
  void theWarmUpIsJudgedButNotTimed() {
    requests.add(new Sent("k", 1, false, false, 503, null, 1_000));
    requests.add(sent(2, "v1/i1", 9_000_000));
    requests.add(sent(3, "v1/i1", 5_000));
    effects.add(new Effect("k", 2, "v1/i1", 10));
    effects.add(new Effect("k", 3, "v1/i1", 20));

    Outcome outcome =
        Outcome.of("name", "run", new Traffic.Result(requests, 2, 0, 0, List.of()), effects, facts);

    assertThat(outcome.longestHoldMillis()).isEqualTo(5);
    assertThat(outcome.verdict().failed()).isEqualTo(1);
  }

  @Test
  void theJsonHasBothSidesAndTheReleasesReport() throws IOException {
    answered(1, "v1/i1", 10);
    facts.report = "{\"result\": \"done\"}";
    facts.problem("a \"quoted\"\nproblem");
    DrillReport report = report();

    JsonNode json = new ObjectMapper().readTree(report.json());

    for (JsonNode side : List.of(json, json.get("haproxy"))) {
      for (String field :
          List.of(
              "sent",
              "answered",
              "failed",
              "lost",
              "duplicated",
              "wrongReply",
              "outOfOrder",
              "longestHoldMs",
              "p50Ms",
              "p99Ms",
              "later202")) {
        assertThat(side.path(field).isNumber()).as(field).isTrue();
      }
    }
    assertThat(json.at("/report/result").asText()).isEqualTo("done");
    assertThat(json.at("/problems/0").asText()).isEqualTo("a \"quoted\"\nproblem");
    assertThat(json.get("pass").asBoolean()).isFalse();
  }

  @Test
  void severalWaysOfBeingBadAreOneReportWithItsParts() throws IOException {
    answered(1, "v1/i1", 10);
    DrillReport all = DrillReport.of(List.of(report(), report()));

    JsonNode json = new ObjectMapper().readTree(all.json());

    assertThat(json.get("sent").asInt()).isEqualTo(2);
    assertThat(json.get("parts")).hasSize(2);
    assertThat(json.get("pass").asBoolean()).isTrue();
  }

  @Test
  void peopleSeeBothSidesBesideEachOther() {
    answered(1, "v1/i1", 10);
    ByteArrayOutputStream out = new ByteArrayOutputStream();

    report().print(new PrintStream(out, true, StandardCharsets.UTF_8));

    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("Tideover", "HAProxy", "PASS")
        .containsPattern("failed +0 +0");
  }

  @Test
  void aLineThatACrashCutOffIsNoEffect(@TempDir Path directory) throws Exception {
    Path ledger = directory.resolve("effects");
    Files.writeString(
        ledger, "k 1 run id 0 7 v1/i1 1000\nk 2 run i\nk 2 run id 0 8 v2/i2 2000\nk 3");

    assertThat(Effect.read(ledger))
        .containsExactly(new Effect("k", 1, "v1/i1", 1000), new Effect("k", 2, "v2/i2", 2000));
  }

  private DrillReport report() {
    return new DrillReport(Kind.BLUE_GREEN, "", true, 300, 1, outcome(), outcome(), List.of());
  }

  private Outcome outcome() {
    return Outcome.of(
        "name", "run", new Traffic.Result(requests, 0, 0, 0, List.of()), effects, facts);
  }

  private void answered(int seq, String by, long atMillis) {
    requests.add(sent(seq, by, 1_000));
    effects.add(new Effect("k", seq, by, atMillis));
  }

  private static Sent sent(int seq, String by, long waitMicros) {
    return new Sent("k", seq, true, false, 201, new Sent.Reply("k", seq, "run", by), waitMicros);
  }
}
