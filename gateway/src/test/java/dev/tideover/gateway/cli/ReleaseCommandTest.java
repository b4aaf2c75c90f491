package dev.tideover.gateway.cli;

import static dev.tideover.gateway.cli.CliFixture.run;
import static dev.tideover.gateway.cli.CliFixture.start;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import dev.tideover.gateway.cli.CliFixture.Front;
import dev.tideover.gateway.cli.CliFixture.Run;
import dev.tideover.gateway.http.FakeOperations;
import dev.tideover.gateway.release.Operations.Result;
import dev.tideover.gateway.release.ReleaseOrder;
import dev.tideover.testkit.Tether;
import dev.tideover.wire.DesiredState.Step;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code tideover release}, over real sockets; the release itself is taken on by hand. */
class ReleaseCommandTest {

  private final CliFixture gateways = new CliFixture();
  private final FakeOperations operations = gateways.operations;
  @TempDir private Path directory;
  private Front front;

  @BeforeEach
  void begin() throws Exception {
    front = gateways.front();
  }

  @AfterEach
  void stop() throws Exception {
    gateways.close();
  }

  @Test
  void tellsOfEachStepOnceAndEndsWithTheReport() throws Exception {
    Path file = directory.resolve("report.json");
    Run run =
        start(
            "release",
            "orders",
            "--to",
            "v2",
            "--verify",
            "1500ms",
            "--max-hold",
            "45s",
            "--prepare",
            "2m",
            "--instances",
            "3",
            "--report",
            file.toString(),
            "--admin",
            front.url());
    run.awaitOut("prepare");
    // Two at once: one is seen only in the report, and is told all the same.
    operations.step("orders", Step.DRAIN, "");
    operations.step("orders", Step.ACTIVATE, "");
    run.awaitOut("activate");
    operations.step("orders", Step.VERIFY, "");
    run.awaitOut("verify");
    operations.step("orders", Step.DONE, "");

    assertThat(run.end()).isZero();
    assertThat(run.err()).isEmpty();
    assertThat(run.out())
        .startsWith(
            """
            Release of orders from v1 to v2, id release-2
                0.0 s  prepare     v2 gets ready; v1 works
                1.5 s  drain       nothing starts; v1 ends what it has begun
                3.0 s  activate    v2 takes over
                4.5 s  verify      v2 works, and is watched
                6.0 s  done        v2 is active

            orders: v1 -> v2: DONE in\
            """)
        .doesNotContain("\u001b");
    assertThat(operations.order)
        .isEqualTo(
            new ReleaseOrder(
                "v2",
                null,
                Duration.ofMinutes(2),
                Duration.ofSeconds(45),
                Duration.ofMillis(1_500),
                3));
    JsonNode report = new ObjectMapper().readTree(file.toFile());
    assertThat(report.get("result").asText()).isEqualTo("done");
    assertThat(report.get("held").asInt()).isEqualTo(210);
    assertThat(report.at("/before/p99Ms").asDouble()).isEqualTo(40.1);
  }

  @Test
  void aReleaseThatIsRolledBackOrAbandonedIsAFailureThatSaysWhy() throws Exception {
    Run back = start("release", "orders", "--to", "v2", "--admin", front.url());
    back.awaitOut("prepare");
    operations.step("orders", Step.ACTIVATE, "");
    operations.step("orders", Step.ROLL_BACK, "37 of 210 requests failed at v2");
    operations.step("orders", Step.RESTORE, "37 of 210 requests failed at v2");
    operations.step("orders", Step.ROLLED_BACK, "37 of 210 requests failed at v2");
    assertThat(back.end()).isEqualTo(1);
    assertThat(back.out())
        .contains("gives back what it has: 37 of 210 requests failed at v2", "ROLLED BACK");

    Run abandoned = start("release", "orders", "--to", "v3", "--admin", front.url());
    abandoned.awaitOut("prepare");
    operations.step("orders", Step.ABANDONED, "no instance of v3 was ready in 60 s");
    assertThat(abandoned.end()).isEqualTo(1);
    assertThat(abandoned.out()).contains("v1 stays active: no instance of v3", "ABANDONED");
  }

  @Test
  void rollingBackByHandIsDoneWhenItIsRolledBack() throws Exception {
    operations.release("orders", order("v2"));
    operations.step("orders", Step.VERIFY, "");
    Run run = start("release", "orders", "--roll-back", "--admin", front.url());
    run.awaitOut("roll-back");
    operations.step("orders", Step.RESTORE, "");
    operations.step("orders", Step.ROLLED_BACK, "an operator wanted it");

    assertThat(run.end()).isZero();
    assertThat(operations.asked).contains("roll back orders");
    Run again = run("release", "orders", "--roll-back", "--admin", front.url());
    assertThat(again.end()).isEqualTo(1);
    assertThat(again.err()).contains("There is no release of orders to roll back");
  }

  @Test
  void withoutAWishItShowsTheLastReleaseAndFollowsOneThatIsUnderWay() throws Exception {
    Run none = run("release", "orders", "--admin", front.url());
    assertThat(none.end()).isZero();
    assertThat(none.out()).contains("There was no release of orders");

    operations.release("orders", order("v2"));
    Run run = start("release", "orders", "--admin", front.url());
    run.awaitOut("prepare");
    assertThat(run.code).isNotDone();
    operations.step("orders", Step.DONE, "");
    assertThat(run.end()).isZero();
    assertThat(run("release", "orders", "--admin", front.url()).out()).contains("DONE in");
    assertThat(operations.asked).containsExactly("release orders v2");
  }

  @Test
  void letsEveryVersionWork() throws Exception {
    Run run = run("release", "orders", "--any-version", "--admin", front.url());

    assertThat(run.end()).isZero();
    assertThat(run.out()).contains("Every version of orders works");
    assertThat(operations.asked).containsExactly("any orders");
  }

  @Test
  void detachedItOnlyBeginsIt() throws Exception {
    Run run = run("release", "orders", "--to", "v2", "--detach", "--admin", front.url());

    assertThat(run.end()).isZero();
    assertThat(run.out()).contains("id release-2", "tideover release orders --admin");
  }

  @Test
  void whatIsRefusedIsAFailureAndLeavesNoReport() throws Exception {
    operations.instead =
        new Result.Refused("release-under-way", "Wait for its end, or roll it back.");
    Path file = directory.resolve("report.json");

    Run run =
        run("release", "orders", "--to", "v2", "--report", file.toString(), "--admin", front.url());

    assertThat(run.end()).isEqualTo(1);
    assertThat(run.err()).isEqualTo("Wait for its end, or roll it back.\n");
    assertThat(file).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "release orders --to v2 --roll-back | mutually exclusive",
        "release orders --verify 30s | belong to --to VERSION",
        "release orders --detach | --detach belongs to",
        "release orders --to v2 --detach --report x | isn't awaited",
        "release orders --to v2 --verify 2h | verify: found PT2H, expected 0 s to 1 h",
        "release orders --to v2 --from v2 | which is also from",
        "release orders --to v2 --instances 0 | instances: found 0",
        "release orders --to v2 --report /nowhere/report.json | nothing was begun",
      })
  void wrongUseIsToldBeforeAnythingIsAsked(String line, String problem) throws Exception {
    Run run = run(line.split(" "));

    assertThat(run.end()).isEqualTo(2);
    assertThat(run.err()).contains(problem).doesNotContain("Exception", "\tat ");
  }

  @Test
  void goesOnWithAnotherGatewayWhenItsOwnIsStopped() throws Exception {
    Front other = gateways.front();
    Run run = start("release", "orders", "--to", "v2", "--admin", front.url() + "," + other.url());
    run.awaitOut("prepare");

    gateways.end(front);
    operations.step("orders", Step.VERIFY, "");
    run.awaitOut("verify");
    operations.step("orders", Step.DONE, "");

    assertThat(run.end()).isZero();
    assertThat(run.err()).isEmpty();
  }

  @Test
  void outlastsTheRestartOfTheOnlyGateway() throws Exception {
    Run run = start("release", "orders", "--to", "v2", "--admin", front.url());
    run.awaitOut("prepare");

    gateways.end(front);
    run.awaitOut("No gateway tells how it goes on");
    gateways.front(front.port(), null);
    run.awaitOut("answers.");
    operations.step("orders", Step.DONE, "");

    assertThat(run.end()).isZero();
  }

  @Test
  void aReleaseWhoseBeginningNobodyConfirmedIsNotBegunTwice() throws Exception {
    // Takes the command, and its connection ends before its answer.
    HttpServer lossy = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    lossy.createContext(
        "/",
        exchange -> {
          if (exchange.getRequestMethod().equals("POST")) {
            operations.release("orders", order("v2"));
            operations.step("orders", Step.ROLLED_BACK, "it was bad");
          } else {
            byte[] answer;
            URI uri = URI.create(front.url() + exchange.getRequestURI());
            try (InputStream in = uri.toURL().openStream()) {
              answer = in.readAllBytes();
            }
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
          }
          exchange.close();
        });
    lossy.start();
    try {
      String urls = "http://127.0.0.1:" + lossy.getAddress().getPort() + "," + front.url();
      Run lost = run("release", "orders", "--to", "v2", "--admin", urls);
      assertThat(operations.asked).containsExactly("release orders v2");
      assertThat(lost.end()).isEqualTo(1);
      assertThat(lost.out()).contains("ROLLED BACK");
    } finally {
      lossy.stop(0);
    }
  }

  @Test
  void saysThatTheEndIsNotKnownWhereNobodyAnswersForLong() throws Exception {
    gateways.end(front);
    ReleaseWatch watch =
        new ReleaseWatch(
            new AdminClient(List.of(URI.create(front.url())), null),
            "orders",
            "release-2",
            new PrintWriter(new StringWriter()),
            Duration.ofSeconds(1));

    assertThatThrownBy(() -> watch.follow(Duration.ofSeconds(20)))
        .isInstanceOfSatisfying(
            AdminFailure.class, failure -> assertThat(failure.exitCode()).isEqualTo(3))
        .hasMessageContaining("can't connect")
        .hasMessageContaining("its end isn't known here")
        .hasMessageContaining("tideover release orders");
  }

  @Test
  void aCommandThatIsToldToStopSaysThatTheReleaseGoesOn() throws Exception {
    Path out = directory.resolve("out");
    Path err = directory.resolve("err");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Tether.class.getName(),
                "dev.tideover.gateway.cli.GatewayCommand",
                "release",
                "orders",
                "--to",
                "v2",
                "--admin",
                front.url())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    try {
      Awaitility.await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> Files.readString(out).contains("prepare"));
      Process interrupt = new ProcessBuilder("kill", "-INT", "" + process.pid()).start();
      assertThat(interrupt.waitFor(20, TimeUnit.SECONDS)).isTrue();
      assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }

    assertThat(Files.readString(err))
        .contains(
            "The release goes on in the gateways",
            "tideover release orders --admin " + front.url() + " --roll-back");
    assertThat(process.exitValue()).isEqualTo(130);
  }

  private static ReleaseOrder order(String to) {
    return new ReleaseOrder(
        to, null, ReleaseOrder.PREPARE, ReleaseOrder.MAX_HOLD, ReleaseOrder.VERIFY, 1);
  }
}
