package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.List;

/**
 * One connection, byte for byte: writes what it is told and reads HTTP/1.1 responses strictly. Text
 * is ISO 8859-1, so that each character is a byte. Every read ends after 20 s.
 */
final class RawHttp implements AutoCloseable {

  private static final int TIMEOUT_MILLIS = 20_000;
  private static final ObjectMapper JSON = new ObjectMapper();

  record Response(int status, List<String> lines, byte[] body) {

    List<String> all(String name) {
      List<String> values = new ArrayList<>();
      for (String line : lines) {
        int colon = line.indexOf(':');
        if (line.substring(0, colon).equalsIgnoreCase(name)) {
          values.add(line.substring(colon + 1).strip());
        }
      }
      return values;
    }

    /** The one value of a field; null for none. */
    String field(String name) {
      List<String> values = all(name);
      if (values.size() > 1) {
        throw new AssertionError(name + " occurs " + values.size() + " times: " + values);
      }
      return values.isEmpty() ? null : values.get(0);
    }

    String outcome() {
      return field("Tideover-Outcome");
    }

    String text() {
      return new String(body, ISO_8859_1);
    }

    JsonNode json() {
      try {
        return JSON.readTree(body);
      } catch (IOException e) {
        throw new AssertionError("no JSON: " + text(), e);
      }
    }

    /** The code of the problem document. */
    String problem() {
      if (!"application/problem+json".equals(field("Content-Type"))) {
        throw new AssertionError("no problem document: " + this + " " + text());
      }
      if (json().get("status").asInt() != status) {
        throw new AssertionError("the document says another status: " + text());
      }
      return json().get("code").asText();
    }
  }

  private final Socket socket;
  private final InputStream in;

  RawHttp(int port) throws IOException {
    socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(TIMEOUT_MILLIS);
    socket.setTcpNoDelay(true);
    in = new BufferedInputStream(socket.getInputStream());
  }

  /** One request and its response on a connection of its own. */
  static Response exchange(int port, String method, String target, byte[] body, String... lines)
      throws IOException {
    try (RawHttp http = new RawHttp(port)) {
      return http.exchange(method, target, body, lines);
    }
  }

  Response exchange(String method, String target, byte[] body, String... lines) throws IOException {
    request(method, target, body, lines);
    return method.equals("HEAD") ? readHead() : read();
  }

  /** Sends a whole request. */
  void request(String method, String target, byte[] body, String... lines) throws IOException {
    StringBuilder head = new StringBuilder(method + " " + target + " HTTP/1.1\r\nHost: test\r\n");
    for (String line : lines) {
      head.append(line).append("\r\n");
    }
    if (body.length > 0 || method.equals("POST")) {
      head.append("Content-Length: ").append(body.length).append("\r\n");
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(head.append("\r\n").toString().getBytes(ISO_8859_1));
    bytes.writeBytes(body);
    send(bytes.toByteArray());
  }

  void send(String text) throws IOException {
    send(text.getBytes(ISO_8859_1));
  }

  void send(byte[] bytes) throws IOException {
    socket.getOutputStream().write(bytes);
    socket.getOutputStream().flush();
  }

  Response read() throws IOException {
    return read(true);
  }

  /** A response to HEAD: whatever its fields say, no body follows. */
  Response readHead() throws IOException {
    return read(false);
  }

  private Response read(boolean mayHaveBody) throws IOException {
    String statusLine = line();
    if (!statusLine.matches("HTTP/\\d\\.\\d \\d{3}( .*)?")) {
      throw new AssertionError("no status line: " + statusLine);
    }
    int status = Integer.parseInt(statusLine.substring(9, 12));
    List<String> lines = new ArrayList<>();
    for (String line = line(); !line.isEmpty(); line = line()) {
      lines.add(line);
    }
    Response head = new Response(status, lines, new byte[0]);
    if (!mayHaveBody || status < 200 || status == 204 || status == 304) {
      return head;
    }
    return new Response(status, lines, body(head));
  }

  private byte[] body(Response head) throws IOException {
    String length = head.field("Content-Length");
    if (length != null) {
      byte[] body = in.readNBytes(Integer.parseInt(length));
      if (body.length != Integer.parseInt(length)) {
        throw new EOFException("body cut at " + body.length + " of " + length);
      }
      return body;
    }
    if ("chunked".equals(head.field("Transfer-Encoding"))) {
      ByteArrayOutputStream body = new ByteArrayOutputStream();
      for (int size = chunk(); size > 0; size = chunk()) {
        body.writeBytes(in.readNBytes(size));
        line();
      }
      line();
      return body.toByteArray();
    }
    return in.readAllBytes();
  }

  private int chunk() throws IOException {
    return Integer.parseInt(line(), 16);
  }

  private String line() throws IOException {
    StringBuilder line = new StringBuilder();
    while (true) {
      int b = in.read();
      if (b < 0) {
        throw new EOFException("connection closed after \"" + line + "\"");
      }
      if (b == '\n') {
        int end = line.length() - 1;
        return end >= 0 && line.charAt(end) == '\r' ? line.substring(0, end) : line.toString();
      }
      line.append((char) b);
    }
  }

  /** Whether the server closes the connection without another byte, within 20 s. */
  boolean isClosedByServer() {
    try {
      return in.read() < 0;
    } catch (SocketTimeoutException open) {
      return false;
    } catch (IOException reset) {
      return true;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
