package dev.tideover.wire;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.jspecify.annotations.Nullable;

/**
 * A record of a released version, as a file that people can read: lines {@code key: TEXT}, {@code
 * header: NAME=VALUE} in order, {@code value: BASE64} (joined; without such a line there is no
 * value), and comments behind {@code #}. The files were written by a program of its own, not by
 * this code, and never change.
 */
record GoldenRecord(String name, byte[] key, List<Line> headers, byte @Nullable [] value) {

  record Line(String name, String value) {}

  private static final Path DIRECTORY = Path.of("src/test/resources/golden/v1");

  static List<String> names() throws IOException {
    try (var files = Files.list(DIRECTORY)) {
      return files
          .map(file -> file.getFileName().toString().replaceFirst("\\.record$", ""))
          .sorted()
          .toList();
    }
  }

  static GoldenRecord read(String name) throws IOException {
    String key = null;
    List<Line> headers = new ArrayList<>();
    boolean hasValue = false;
    StringBuilder value = new StringBuilder();
    for (String line : Files.readAllLines(DIRECTORY.resolve(name + ".record"))) {
      if (line.startsWith("key: ")) {
        key = line.substring("key: ".length());
      } else if (line.startsWith("header: ")) {
        String header = line.substring("header: ".length());
        int equals = header.indexOf('=');
        headers.add(new Line(header.substring(0, equals), header.substring(equals + 1)));
      } else if (line.startsWith("value:")) {
        hasValue = true;
        value.append(line.substring("value:".length()).strip());
      } else if (!line.startsWith("#")) {
        throw new IOException(name + ": can't read the line " + line);
      }
    }
    return new GoldenRecord(
        name,
        Optional.ofNullable(key).orElseThrow().getBytes(UTF_8),
        headers,
        hasValue ? Base64.getDecoder().decode(value.toString()) : null);
  }

  /** The record as a consumer would get it. */
  ConsumerRecord<byte[], byte[]> consumed() {
    RecordHeaders kafkaHeaders = new RecordHeaders();
    headers.forEach(line -> kafkaHeaders.add(line.name(), line.value().getBytes(UTF_8)));
    return consumed("orders.requests", 3, 4711, key, kafkaHeaders, value);
  }

  static ConsumerRecord<byte[], byte[]> consumed(ProducerRecord<byte[], byte[]> record) {
    return consumed("any", 0, 0, record.key(), new RecordHeaders(record.headers()), record.value());
  }

  static ConsumerRecord<byte[], byte[]> consumed(
      String topic,
      int partition,
      long offset,
      byte[] key,
      RecordHeaders headers,
      byte @Nullable [] value) {
    return new ConsumerRecord<>(
        topic,
        partition,
        offset,
        0L,
        TimestampType.CREATE_TIME,
        0,
        0,
        key,
        value,
        headers,
        Optional.empty());
  }

  /** A record's headers, in order. */
  static List<Line> lines(ProducerRecord<byte[], byte[]> record) {
    List<Line> lines = new ArrayList<>();
    for (Header header : record.headers()) {
      lines.add(new Line(header.key(), new String(header.value(), UTF_8)));
    }
    return lines;
  }
}
