package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A client of server-sent events, by the specification and no further: reads the chunks of one
 * response as they come. Every read ends after 20 s.
 */
final class EventReader implements AutoCloseable {

  private static final ObjectMapper JSON = new ObjectMapper();

  /** An event as it was dispatched. */
  record Event(String name, String id, String data) {
    JsonNode json() {
      try {
        return JSON.readTree(data);
      } catch (IOException e) {
        throw new AssertionError("no JSON: " + data, e);
      }
    }
  }

  final int status;
  final List<String> fields = new ArrayList<>();
  final List<String> comments = new CopyOnWriteArrayList<>();

  private final Socket socket;
  private final BufferedReader lines;

  EventReader(int port, String target, String... requestFields) throws IOException {
    socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(20_000);
    StringBuilder head = new StringBuilder("GET " + target + " HTTP/1.1\r\nHost: test\r\n");
    head.append("Accept: text/event-stream\r\n");
    for (String field : requestFields) {
      head.append(field).append("\r\n");
    }
    socket.getOutputStream().write(head.append("\r\n").toString().getBytes(UTF_8));
    InputStream in = socket.getInputStream();
    status = Integer.parseInt(line(in).substring(9, 12));
    for (String line = line(in); !line.isEmpty(); line = line(in)) {
      fields.add(line);
    }
    lines = new BufferedReader(new InputStreamReader(new Chunks(in), UTF_8));
  }

  String field(String name) {
    return fields.stream()
        .filter(line -> line.regionMatches(true, 0, name + ":", 0, name.length() + 1))
        .map(line -> line.substring(name.length() + 1).strip())
        .findFirst()
        .orElse(null);
  }

  /** The next event; null at the end of the stream. */
  Event next() throws IOException {
    String name = "message";
    String id = null;
    StringBuilder data = new StringBuilder();
    String line;
    while ((line = lines.readLine()) != null) {
      if (line.startsWith(":")) {
        comments.add(line.substring(1));
      } else if (line.startsWith("event: ")) {
        name = line.substring(7);
      } else if (line.startsWith("id: ")) {
        id = line.substring(4);
      } else if (line.startsWith("data: ")) {
        data.append(line.substring(6));
      } else if (line.isEmpty() && data.length() > 0) {
        return new Event(name, id, data.toString());
      }
    }
    return null;
  }

  private static String line(InputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    int b;
    while ((b = in.read()) != '\n') {
      if (b < 0) {
        throw new EOFException("closed after \"" + line + "\"");
      }
      line.append((char) b);
    }
    return line.substring(0, line.length() - 1);
  }

  /** The content of a chunked body, each byte as soon as it is there. */
  private static final class Chunks extends InputStream {
    private final InputStream in;
    private int left;
    private boolean ended;

    Chunks(InputStream in) {
      this.in = in;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (ended) {
        return -1;
      }
      if (left == 0) {
        left = Integer.parseInt(line(in), 16);
        if (left == 0) {
          ended = true;
          return -1;
        }
      }
      int read = in.read(bytes, offset, Math.min(length, left));
      left -= read;
      if (left == 0) {
        line(in);
      }
      return read;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
