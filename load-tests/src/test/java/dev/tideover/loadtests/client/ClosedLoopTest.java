package dev.tideover.loadtests.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ClosedLoopTest {

  private final Queue<String> seen = new ConcurrentLinkedQueue<>();

  @Test
  void anAnswerWithAnotherBodyIsAnError() throws Exception {
    Measurement seen = run("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", Load.Mode.ECHO, 1);
    assertThat(seen.answers()).isZero();
    assertThat(seen.throughput()).isZero();
    assertThat(seen.errors()).isPositive();
    assertThat(seen.firstError())
        .isEqualTo("the body of the answer is not the body of its request");
  }

  @Test
  void anAcceptedRequestIsCounted() throws Exception {
    Measurement seen =
        run("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", Load.Mode.ACCEPT, 3);
    assertThat(seen.errors()).isZero();
    assertThat(seen.answers()).isGreaterThanOrEqualTo(3);
    assertThat(seen.p50()).isLessThanOrEqualTo(seen.p99());
    assertThat(seen.p99()).isLessThanOrEqualTo(seen.max());
  }

  @Test
  void everyClosedConnectionIsAnError() throws Exception {
    Measurement seen = run("", Load.Mode.ECHO, 2);
    assertThat(seen.answers()).isZero();
    assertThat(seen.errors()).isEqualTo(2);
    assertThat(seen.firstError()).contains("closed the connection");
  }

  @Test
  void aServerThatIsNotThereEndsTheRoundAtOnce() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    assertThatThrownBy(() -> ClosedLoop.run(new Load(port, "/", Load.Mode.ECHO, false, 1, 0, 100)))
        .isInstanceOf(IOException.class);
  }

  /** A key that comes again would bring an earlier answer, and measure that. */
  @Test
  void noKeyComesTwiceAlsoNotInAnotherRound() throws Exception {
    String response = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    Set<String> keys = new HashSet<>();
    long requests = 0;
    for (int round = 0; round < 2; round++) {
      requests += run(response, Load.Mode.ACCEPT, true, 3).answers();
    }
    for (String request : seen) {
      Matcher key = Pattern.compile("\r\nIdempotency-Key: \"(\\w{32})\"\r\n").matcher(request);
      assertThat(key.find()).as(request).isTrue();
      keys.add(key.group(1));
    }
    assertThat(requests).isGreaterThanOrEqualTo(6);
    assertThat(keys).hasSize(seen.size()).hasSizeGreaterThanOrEqualTo((int) requests);
  }

  @Test
  void aRequestHasNoKeyWhereNoneIsWanted() throws Exception {
    run("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", Load.Mode.ACCEPT, 1);

    assertThat(seen).isNotEmpty().noneMatch(request -> request.contains("Idempotency"));
  }

  private Measurement run(String response, Load.Mode mode, int connections) throws Exception {
    return run(response, mode, false, connections);
  }

  private Measurement run(String response, Load.Mode mode, boolean keyed, int connections)
      throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      threads.execute(() -> accept(server, response, threads));
      return ClosedLoop.run(new Load(server.getLocalPort(), "/", mode, keyed, connections, 0, 200));
    } finally {
      threads.shutdownNow();
    }
  }

  private void accept(ServerSocket server, String response, ExecutorService threads) {
    while (true) {
      try {
        Socket socket = server.accept();
        threads.execute(() -> answer(socket, response));
      } catch (IOException closed) {
        return;
      }
    }
  }

  /** Answers every request that ends with the client's body; with nothing to say, hangs up. */
  private void answer(Socket socket, String response) {
    try (socket) {
      InputStream input = socket.getInputStream();
      StringBuilder request = new StringBuilder();
      int last = 0;
      for (int next = input.read(); next >= 0; next = input.read()) {
        request.append((char) next);
        if (last == '"' && next == '}') {
          if (response.isEmpty()) {
            return;
          }
          seen.add(request.toString());
          request.setLength(0);
          socket.getOutputStream().write(response.getBytes(StandardCharsets.US_ASCII));
        }
        last = next;
      }
    } catch (IOException clientLeft) {
      // The end of the test's client is the end of the connection.
    }
  }
}
