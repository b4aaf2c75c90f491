package dev.tideover.gateway.cli;

import static dev.tideover.gateway.cli.CliFixture.run;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tideover.gateway.cli.CliFixture.Run;
import dev.tideover.gateway.release.Operations.Result;
import dev.tideover.wire.InstanceReport.State;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The commands that show services, hold, resume and limit them, over real sockets. */
class OperatorCommandsTest {

  private final CliFixture gateways = new CliFixture();
  @TempDir private Path directory;
  private String url;

  @BeforeEach
  void start() throws Exception {
    url = gateways.front().url();
  }

  @AfterEach
  void stop() throws Exception {
    gateways.close();
  }

  @Test
  void showsAllServicesInALineEach() throws Exception {
    gateways.operations.instance("v1", "orders-1", State.ACTIVE);
    gateways.operations.instance("v1", "orders-2", State.ACTIVE);
    gateways.operations.hold("stock", true);

    Run run = run("services", "--admin", url);

    assertThat(run.end()).isZero();
    assertThat(run.out())
        .isEqualTo(
            """
            SERVICE  STATE  VERSION  INSTANCES  WAITING  OLDEST  PROBLEMS
            orders   works  any      2 of v1    12       3.2 s   1
            stock    held   any      0          12       3.2 s   1
            """);
    assertThat(
            new ObjectMapper()
                .readTree(run("services", "--json", "--admin", url).out())
                .at("/services/0/name")
                .asText())
        .isEqualTo("orders");
  }

  @Test
  void showsAllOfAService() throws Exception {
    gateways.operations.instance("v1", "orders-1", State.DRAINED);
    gateways.operations.hold("orders", true);
    gateways.operations.rate("orders", 50);

    Run run = run("status", "orders", "--admin", url);

    assertThat(run.end()).isZero();
    assertThat(run.out())
        .isEqualTo(
            """
            orders: held
              version  every version works (epoch 3, 2025-11-24T16:00:00Z, by gateway-1)
              rate     at most 50 requests/s
              backlog  12 requests, the oldest for 3.2 s, 40.3 done in a second

              VERSION  INSTANCE  STATE    EPOCH  PARTITIONS  RUNNING  HANDLED  ERRORS  DEAD  PARKED  HEARD
              v1       orders-1  drained  1      4           2        1,000    3       0     1       420 ms ago

              ! orders: it is <b>held</b>
            """);
  }

  @Test
  void holdsAndSaysHowToGoOn() throws Exception {
    Run run = run("hold", "orders", "--admin", url);

    assertThat(run.end()).isZero();
    assertThat(run.out()).contains("orders is held", "tideover resume orders --admin " + url);
    assertThat(gateways.operations.asked).containsExactly("hold orders");
  }

  @Test
  void aHoldThatIsWaitedForEndsWhenAllThatHadStartedHas() throws Exception {
    gateways.operations.instance("v1", "orders-1", State.HOLDING);
    Run run = CliFixture.start("hold", "orders", "--wait", "20s", "--admin", url);
    run.awaitOut("is held");
    assertThat(run.code).isNotDone();

    gateways.operations.instances.clear();
    gateways.operations.epochSeen = 2;
    gateways.operations.instance("v1", "orders-1", State.DRAINED);

    assertThat(run.end()).isZero();
    assertThat(run.out()).contains("All that had started has ended");
  }

  @Test
  void aHoldThatIsWaitedForInVainNamesTheInstances() throws Exception {
    gateways.operations.instance("v1", "orders-1", State.HOLDING);

    Run run = run("hold", "orders", "--wait", "300ms", "--admin", url);

    assertThat(run.end()).isEqualTo(1);
    assertThat(run.out()).contains("orders-1 (holding)");
  }

  @Test
  void nothingIsKnownToHaveEndedWhileTheGatewayDoesNotHearTheInstances() throws Exception {
    gateways.operations.current = false;

    Run run = run("hold", "orders", "--wait", "300ms", "--admin", url);

    assertThat(run.end()).isEqualTo(1);
    assertThat(run.out()).contains("whoever this gateway doesn't hear now");
  }

  @Test
  void resumesWithARateThatIsSetBefore() throws Exception {
    Run run = run("resume", "orders", "--rate", "100", "--admin", url);

    assertThat(run.end()).isZero();
    assertThat(run.out()).contains("slowly at first, at most 100 in a second");
    assertThat(gateways.operations.asked).containsExactly("rate orders 100", "resume orders");
  }

  @Test
  void setsAndLiftsTheRate() throws Exception {
    assertThat(run("rate", "orders", "7", "--admin", url).out()).contains("at most 7 in a second");
    assertThat(run("rate", "orders", "none", "--admin", url).out()).contains("without a limit");
    assertThat(gateways.operations.asked).containsExactly("rate orders 7", "rate orders 0");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "rate orders 0 | expected 1 to 1000000, or none",
        "rate orders -1 | found \"-1\", expected 1 to 1000000",
        "rate orders many | found \"many\"",
        "rate orders | Missing required parameter",
        "hold | Missing required parameter",
        "hold a/b | SERVICE: found \"a/b\"",
        "hold orders --wait 5 | found \"5\", expected such as 500ms, 30s, 5m",
        "status orders --admin localhost:8081 | --admin: found \"localhost:8081\", expected an address such as http://127.0.0.1:8081",
        "status orders --admin http://a/path | --admin: found",
        "status orders --token-file /nowhere | --token-file /nowhere: can't be read",
      })
  void wrongUseIsToldBeforeAnythingIsAsked(String line, String problem) throws Exception {
    Run run = run(line.split(" "));

    assertThat(run.end()).isEqualTo(2);
    assertThat(run.err()).contains(problem).doesNotContain("Exception", "\tat ");
  }

  @Test
  void whatIsRefusedIsToldAsTheGatewayTellsIt() throws Exception {
    gateways.operations.instead = new Result.Refused("no", "It can't be, do this instead.");

    Run run = run("hold", "orders", "--admin", url);

    assertThat(run.end()).isEqualTo(1);
    assertThat(run.err()).isEqualTo("It can't be, do this instead.\n");
    assertThat(run("status", "ordres", "--admin", url).err())
        .contains("no service \"ordres\"", "orders, stock");
  }

  @Test
  void whatReachesATerminalHasNoCharactersThatActOnIt() throws Exception {
    gateways.operations.instead = new Result.Refused("no", "bad \u001b[31m\u202e\nend");

    assertThat(run("hold", "orders", "--admin", url).err()).isEqualTo("bad ?[31m??end\n");
  }

  @Test
  void aTokenIsTakenFromAFileAndItsLackIsExplained() throws Exception {
    String guarded = gateways.front(0, "the-token-of-the-operators").url();
    Path file = Files.writeString(directory.resolve("token"), "the-token-of-the-operators\n");
    Path wrong = Files.writeString(directory.resolve("wrong"), "two words\n");

    Run without = run("services", "--admin", guarded);
    assertThat(without.end()).isEqualTo(2);
    assertThat(without.err()).contains("TIDEOVER_ADMIN_TOKEN or --token-file");
    assertThat(run("services", "--admin", guarded, "--token-file", file.toString()).end()).isZero();
    Run bad = run("services", "--admin", guarded, "--token-file", wrong.toString());
    assertThat(bad.end()).isEqualTo(2);
    assertThat(bad.err()).contains("no token").doesNotContain("two words");
  }

  @Test
  void whereOneGatewayIsAwayTheNextIsAsked() throws Exception {
    Run run = run("hold", "orders", "--admin", nobody() + "," + url);

    assertThat(run.end()).isZero();
    assertThat(gateways.operations.asked).containsExactly("hold orders");
  }

  @Test
  void whereNobodyAnswersItSaysThatNothingWasChanged() throws Exception {
    String nobody = nobody();

    Run run = run("hold", "orders", "--admin", nobody);

    assertThat(run.end()).isEqualTo(3);
    assertThat(run.err()).contains("nothing was changed", nobody + ": can't connect", "--admin");
  }

  @Test
  void whereItMayBeDoneItSaysSo() throws Exception {
    gateways.operations.instead = new Result.Unavailable("Kafka did not answer within 10 s.");

    Run run = run("hold", "orders", "--admin", url);

    assertThat(run.end()).isEqualTo(3);
    assertThat(run.err())
        .contains("it may be or not", "Kafka did not answer", "Give the command again");
  }

  @Test
  void anAddressThatIsNoGatewaysIsNamed() throws Exception {
    // What clients connect to, or any other server: answers, but not with problem details.
    var other =
        com.sun.net.httpserver.HttpServer.create(new java.net.InetSocketAddress("127.0.0.1", 0), 0);
    other.start();
    try {
      Run run = run("services", "--admin", "http://127.0.0.1:" + other.getAddress().getPort());
      assertThat(run.end()).isEqualTo(2);
      assertThat(run.err()).contains("not as a gateway's admin address does", "admin.port");
    } finally {
      other.stop(0);
    }
  }

  /** An address at which nobody listens. */
  private static String nobody() throws Exception {
    try (ServerSocket socket = new ServerSocket(0)) {
      return "http://127.0.0.1:" + socket.getLocalPort();
    }
  }
}
