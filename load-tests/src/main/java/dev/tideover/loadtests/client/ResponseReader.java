package dev.tideover.loadtests.client;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Reads one HTTP/1.1 response after another from one connection: the status, and a body whose
 * length {@code Content-Length} gives. Nothing else is interpreted, so that reading costs little;
 * what can't be read that way (chunked bodies) is refused, never guessed. One connection, one
 * thread.
 */
final class ResponseReader {

  private static final int MAX_HEAD = 16 * 1024;
  private static final int MAX_BODY = 16 * 1024 * 1024;
  private static final int STATUS_AT = "HTTP/1.1 ".length();
  private static final byte[] CONTENT_LENGTH = ascii("content-length:");
  private static final byte[] TRANSFER_ENCODING = ascii("transfer-encoding:");

  private byte[] bytes = new byte[2048];
  private int filled;

  /** Where the search for the end of the head goes on; nothing before it ends the head. */
  private int searched;

  /** The first byte of the body; -1 while the head has not ended. */
  private int bodyAt = -1;

  private int bodyLength;
  private int status;

  /**
   * Takes what the socket gave.
   *
   * @param input read to its end
   * @return whether the response is complete
   * @throws ResponseFormatException if it is none that this reader can read, or if bytes follow it
   *     that nobody asked for
   */
  boolean feed(ByteBuffer input) throws ResponseFormatException {
    int count = input.remaining();
    ensureCapacity(filled + count);
    input.get(bytes, filled, count);
    filled += count;
    if (bodyAt < 0 && !readHead()) {
      return false;
    }
    int end = bodyAt + bodyLength;
    if (filled > end) {
      throw new ResponseFormatException(
          "the server sent " + (filled - end) + " bytes after the end of its response");
    }
    return filled == end;
  }

  /** The status of the response that is complete. */
  int status() {
    return status;
  }

  /** Whether the body of the response that is complete has exactly these bytes. */
  boolean bodyEquals(byte[] expected, int from, int to) {
    return Arrays.equals(bytes, bodyAt, bodyAt + bodyLength, expected, from, to);
  }

  /** Makes ready for the next response of the connection. */
  void reset() {
    filled = 0;
    searched = 0;
    bodyAt = -1;
    bodyLength = 0;
    status = 0;
  }

  private void ensureCapacity(int needed) throws ResponseFormatException {
    if (needed > MAX_HEAD + MAX_BODY) {
      throw new ResponseFormatException("the response is larger than this client reads");
    }
    if (needed > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(needed, 2 * bytes.length));
    }
  }

  private boolean readHead() throws ResponseFormatException {
    int end = endOfHead();
    if (end < 0) {
      if (filled > MAX_HEAD) {
        throw new ResponseFormatException("the response's head is longer than " + MAX_HEAD);
      }
      return false;
    }
    status = readStatus(end);
    bodyLength = readBodyLength(end);
    bodyAt = end;
    return true;
  }

  private int endOfHead() {
    for (int i = searched; i + 3 < filled; i++) {
      if (bytes[i] == '\r'
          && bytes[i + 1] == '\n'
          && bytes[i + 2] == '\r'
          && bytes[i + 3] == '\n') {
        return i + 4;
      }
    }
    searched = Math.max(0, filled - 3);
    return -1;
  }

  private int readStatus(int end) throws ResponseFormatException {
    boolean http11 =
        end > STATUS_AT + 3
            && bytes[0] == 'H'
            && bytes[5] == '1'
            && bytes[7] == '1'
            && bytes[8] == ' ';
    long code = http11 ? digits(STATUS_AT, STATUS_AT + 3) : -1;
    if (code < 200 || code > 599) {
      int shown = Math.min(end, 40);
      throw new ResponseFormatException(
          "not a final HTTP/1.1 response: "
              + new String(bytes, 0, shown, StandardCharsets.ISO_8859_1).strip());
    }
    return (int) code;
  }

  private int readBodyLength(int end) throws ResponseFormatException {
    if (status == 204 || status == 304) {
      return 0;
    }
    long length = -1;
    int line = nextLine(0, end);
    while (line < end - 2) {
      int next = nextLine(line, end);
      if (startsWith(line, TRANSFER_ENCODING)) {
        throw new ResponseFormatException("the response has a Transfer-Encoding");
      }
      if (startsWith(line, CONTENT_LENGTH)) {
        int from = line + CONTENT_LENGTH.length;
        while (bytes[from] == ' ') {
          from++;
        }
        length = digits(from, next - 2);
      }
      line = next;
    }
    if (length < 0 || length > MAX_BODY) {
      throw new ResponseFormatException("the response has no usable Content-Length");
    }
    return (int) length;
  }

  /** The first byte after the line that {@code at} is in; the head ends with a line end. */
  private int nextLine(int at, int end) {
    int i = at;
    while (i < end && bytes[i] != '\n') {
      i++;
    }
    return i + 1;
  }

  private boolean startsWith(int at, byte[] lowerCase) {
    for (int i = 0; i < lowerCase.length; i++) {
      int b = bytes[at + i];
      int lower = b >= 'A' && b <= 'Z' ? b + ('a' - 'A') : b;
      if (lower != lowerCase[i]) {
        return false;
      }
    }
    return true;
  }

  private long digits(int from, int to) {
    if (from >= to || to - from > 9) {
      return -1;
    }
    long value = 0;
    for (int i = from; i < to; i++) {
      if (bytes[i] < '0' || bytes[i] > '9') {
        return -1;
      }
      value = 10 * value + (bytes[i] - '0');
    }
    return value;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
