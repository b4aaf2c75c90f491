package dev.tideover.loadtests.client;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/**
 * One connection with one request at a time. The request is built once; only a number in its body,
 * and in its key if it has one, changes, so that every answer can be told from every other. Owned
 * by the thread of {@link ClosedLoop}.
 */
final class Connection implements AutoCloseable {

  private static final int CONNECT_TIMEOUT_MILLIS = 5_000;
  private static final int NUMBER_DIGITS = 16;
  private static final int BODY_LENGTH = 128;
  private static final String BODY_BEFORE = "{\"number\":\"";
  private static final String BODY_AFTER = "\",\"pad\":\"";
  private static final String BODY_END = "\"}";
  private static final String KEY_FIELD = "Idempotency-Key: \"";
  private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

  private final SocketChannel channel;
  private final SelectionKey key;
  private final Load.Mode mode;
  private final byte[] request;
  private final int bodyAt;

  /** Where the number stands in the key; 0 where there is no key. */
  private final int keyNumberAt;

  private final ByteBuffer output;
  private final ResponseReader response = new ResponseReader();
  private long number;
  private long sentAt;

  /**
   * Connects, and waits at most five seconds for it.
   *
   * @param round makes the keys others than those of other rounds
   * @param index makes the numbers others than those of the round's other connections
   */
  Connection(Selector selector, Load load, long round, int index) throws IOException {
    channel = SocketChannel.open();
    try {
      InetSocketAddress address =
          new InetSocketAddress(InetAddress.getLoopbackAddress(), load.port());
      channel.socket().connect(address, CONNECT_TIMEOUT_MILLIS);
      channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
      channel.configureBlocking(false);
      key = channel.register(selector, SelectionKey.OP_READ, this);
    } catch (IOException e) {
      channel.close();
      throw e;
    }
    mode = load.mode();
    String head = head(load);
    request = (head + body()).getBytes(StandardCharsets.US_ASCII);
    bodyAt = request.length - BODY_LENGTH;
    if (load.keyed()) {
      int keyAt = head.indexOf(KEY_FIELD) + KEY_FIELD.length();
      write(round, keyAt);
      keyNumberAt = keyAt + NUMBER_DIGITS;
    } else {
      keyNumberAt = 0;
    }
    output = ByteBuffer.wrap(request);
    number = (long) index << 32;
  }

  /** Sends the next request. */
  void send(long now) throws IOException {
    number++;
    write(number, bodyAt + BODY_BEFORE.length());
    if (keyNumberAt > 0) {
      write(number, keyNumberAt);
    }
    output.clear();
    response.reset();
    sentAt = now;
    write();
  }

  private void write(long value, int at) {
    for (int i = 0; i < NUMBER_DIGITS; i++) {
      request[at + i] = HEX[(int) (value >>> (4 * (NUMBER_DIGITS - 1 - i))) & 0xF];
    }
  }

  /** Goes on writing a request that the socket did not take whole. */
  void write() throws IOException {
    channel.write(output);
    key.interestOps(output.hasRemaining() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
  }

  /**
   * Reads what there is.
   *
   * @param scratch a buffer for the bytes on their way; the thread's own
   * @return whether the response is complete
   */
  boolean read(ByteBuffer scratch) throws IOException {
    scratch.clear();
    int count = channel.read(scratch);
    if (count < 0) {
      throw new EOFException("the server closed the connection");
    }
    scratch.flip();
    return response.feed(scratch);
  }

  /** What is wrong with the complete response; empty if nothing is. */
  String fault() {
    int expected = mode == Load.Mode.ACCEPT ? 202 : 200;
    if (response.status() != expected) {
      return "status " + response.status() + " instead of " + expected;
    }
    if (mode == Load.Mode.ECHO && !response.bodyEquals(request, bodyAt, request.length)) {
      return "the body of the answer is not the body of its request";
    }
    return "";
  }

  /** When the request went out, {@link System#nanoTime}. */
  long sentAt() {
    return sentAt;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private static String head(Load load) {
    String prefer = load.mode() == Load.Mode.ACCEPT ? "Prefer: respond-async\r\n" : "";
    String key = load.keyed() ? KEY_FIELD + "0".repeat(2 * NUMBER_DIGITS) + "\"\r\n" : "";
    return "POST "
        + load.path()
        + " HTTP/1.1\r\nHost: 127.0.0.1:"
        + load.port()
        + "\r\n"
        + prefer
        + key
        + "Content-Type: application/json\r\nContent-Length: "
        + BODY_LENGTH
        + "\r\n\r\n";
  }

  private static String body() {
    int used = BODY_BEFORE.length() + NUMBER_DIGITS + BODY_AFTER.length() + BODY_END.length();
    return BODY_BEFORE
        + "0".repeat(NUMBER_DIGITS)
        + BODY_AFTER
        + "x".repeat(BODY_LENGTH - used)
        + BODY_END;
  }
}
