package dev.tideover.loadtests.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ClosedLoopTest {

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
    assertThatThrownBy(() -> ClosedLoop.run(new Load(port, "/", Load.Mode.ECHO, 1, 0, 100)))
        .isInstanceOf(IOException.class);
  }

  private static Measurement run(String response, Load.Mode mode, int connections)
      throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      threads.execute(() -> accept(server, response, threads));
      return ClosedLoop.run(new Load(server.getLocalPort(), "/", mode, connections, 0, 200));
    } finally {
      threads.shutdownNow();
    }
  }

  private static void accept(ServerSocket server, String response, ExecutorService threads) {
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
  private static void answer(Socket socket, String response) {
    try (socket) {
      InputStream input = socket.getInputStream();
      int last = 0;
      for (int next = input.read(); next >= 0; next = input.read()) {
        if (last == '"' && next == '}') {
          if (response.isEmpty()) {
            return;
          }
          socket.getOutputStream().write(response.getBytes(StandardCharsets.US_ASCII));
        }
        last = next;
      }
    } catch (IOException clientLeft) {
      // The end of the test's client is the end of the connection.
    }
  }
}
