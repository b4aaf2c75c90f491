package dev.tideover.loadtests.client;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Very many clients, each with one connection and one request at a time, whose body nobody else
 * sends. All are driven by the thread that calls; not safe for others.
 */
public final class Crowd implements AutoCloseable {

  private static final Duration CONNECT_BOUND = Duration.ofSeconds(60);

  /** More would overflow the backlog of the server's socket, and then wait for seconds. */
  private static final int CONNECTING = 64;

  private enum Read {
    PARTLY,
    COMPLETE,
    BROKEN
  }

  private static final class Client {
    final int number;
    final ResponseReader reader = new ResponseReader();
    SocketChannel channel;
    SelectionKey key;
    byte[] body = new byte[0];
    long sentAt;
    boolean waiting;

    Client(int number, SocketChannel channel, SelectionKey key) {
      this.number = number;
      this.channel = channel;
      this.key = key;
    }
  }

  /**
   * What came back.
   *
   * @param statuses how many answers had each status
   * @param wrongBodies answers with status 200 whose body was not the request's own
   * @param broken connections that ended without an answer
   * @param missing clients without an answer when the time was up
   * @param longest from a request to its answer
   * @param spread from the first answer to the last
   */
  public record Answers(
      Map<Integer, Integer> statuses,
      int wrongBodies,
      int broken,
      int missing,
      Duration longest,
      Duration spread) {}

  private final Selector selector;
  private final List<Client> clients = new ArrayList<>();
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(64 << 10);

  private Crowd(Selector selector) {
    this.selector = selector;
  }

  /** Connects all of them. */
  public static Crowd connect(int port, int size) throws IOException {
    Crowd crowd = new Crowd(Selector.open());
    try {
      crowd.connectAll(port, size);
      return crowd;
    } catch (IOException | RuntimeException e) {
      crowd.close();
      throw e;
    }
  }

  private void connectAll(int port, int size) throws IOException {
    long until = System.nanoTime() + CONNECT_BOUND.toNanos();
    InetSocketAddress server = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    int connecting = 0;
    int connected = 0;
    while (connected < size) {
      while (connecting < CONNECTING && clients.size() < size) {
        SocketChannel channel = SocketChannel.open();
        channel.configureBlocking(false);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        boolean done = channel.connect(server);
        SelectionKey key =
            channel.register(selector, done ? SelectionKey.OP_READ : SelectionKey.OP_CONNECT);
        Client client = new Client(clients.size(), channel, key);
        key.attach(client);
        clients.add(client);
        connecting += done ? 0 : 1;
        connected += done ? 1 : 0;
      }
      if (System.nanoTime() > until) {
        throw new IOException(connected + " of " + size + " clients were connected in time");
      }
      selector.select(100);
      for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext(); ) {
        SelectionKey key = keys.next();
        keys.remove();
        if (key.isConnectable()) {
          ((Client) key.attachment()).channel.finishConnect();
          key.interestOps(SelectionKey.OP_READ);
          connecting--;
          connected++;
        }
      }
    }
  }

  /** What a request has besides the fields that it must have. */
  public enum Fields {
    /** As a small program sends it: five field lines, about 150 bytes. */
    FEW(""),
    /**
     * As a client with a token sends it and a load balancer passes it on: 13, about 1,300 bytes.
     */
    USUAL(
        "Authorization: Bearer "
            + "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9".repeat(20)
            + "\r\nAccept-Language: en-GB,en;q=0.8,de;q=0.6\r\nCache-Control: no-cache\r\n"
            + "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
            + "X-Request-Id: 7d1b0f0e-9d1c-4b8e-8f6a-0f2d3c4b5a69\r\n"
            + "X-Forwarded-For: 203.0.113.7, 198.51.100.17\r\nX-Forwarded-Proto: https\r\n"
            + "X-Forwarded-Host: api.example.com\r\n");

    private final String lines;

    Fields(String lines) {
      this.lines = lines;
    }
  }

  /** Lets each send a request; the answers are not read yet. */
  public void send(String path, Fields fields) throws IOException {
    for (Client client : clients) {
      client.body =
          ("{\"client\":" + client.number + ",\"path\":\"" + path + "\"}").getBytes(US_ASCII);
      String head =
          "POST "
              + path
              + " HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: crowd/1.0\r\nAccept: */*\r\n"
              + "Accept-Encoding: gzip, deflate\r\nContent-Type: application/json\r\n"
              + "Content-Length: "
              + client.body.length
              + "\r\n"
              + fields.lines
              + "\r\n";
      buffer.clear();
      buffer.put(head.getBytes(US_ASCII)).put(client.body).flip();
      client.reader.reset();
      client.waiting = true;
      client.sentAt = System.nanoTime();
      while (buffer.hasRemaining()) {
        // A request fits into the socket's buffer, so this does not spin.
        client.channel.write(buffer);
      }
    }
  }

  /** Reads until each has its answer, or the time is up. */
  public Answers await(Duration bound) throws IOException {
    long until = System.nanoTime() + bound.toNanos();
    Map<Integer, Integer> statuses = new TreeMap<>();
    int wrong = 0;
    int broken = 0;
    int left = clients.size();
    long first = 0;
    long last = 0;
    long longest = 0;
    while (left > 0 && System.nanoTime() < until) {
      selector.select(50);
      for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext(); ) {
        Client client = (Client) keys.next().attachment();
        keys.remove();
        if (!client.waiting) {
          // Nothing is asked for, so what comes is the connection's end.
          client.key.cancel();
          continue;
        }
        Read read = read(client);
        if (read == Read.BROKEN) {
          client.waiting = false;
          client.key.cancel();
          broken++;
          left--;
        } else if (read == Read.COMPLETE) {
          client.waiting = false;
          last = System.nanoTime();
          first = first == 0 ? last : first;
          longest = Math.max(longest, last - client.sentAt);
          left--;
          int status = client.reader.status();
          statuses.merge(status, 1, Integer::sum);
          boolean own = client.reader.bodyEquals(client.body, 0, client.body.length);
          wrong += status == 200 && !own ? 1 : 0;
        }
      }
    }
    return new Answers(
        statuses, wrong, broken, left, Duration.ofNanos(longest), Duration.ofNanos(last - first));
  }

  private Read read(Client client) throws IOException {
    buffer.clear();
    try {
      if (client.channel.read(buffer) < 0) {
        return Read.BROKEN;
      }
    } catch (IOException reset) {
      return Read.BROKEN;
    }
    return client.reader.feed(buffer.flip()) ? Read.COMPLETE : Read.PARTLY;
  }

  @Override
  public void close() throws IOException {
    for (Client client : clients) {
      client.channel.close();
    }
    selector.close();
  }
}
