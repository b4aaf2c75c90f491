package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A service as somebody would write it in another language: the record contract by its page, plain
 * Kafka clients, nothing of Tideover's. Its thread owns the consumer; what handlers do to a request
 * may be done from any thread.
 */
final class RawService implements AutoCloseable {

  interface Handler {
    void handle(Request request) throws Exception;
  }

  /** A request record, as it is. */
  final class Request {

    final ConsumerRecord<byte[], byte[]> record;

    private Request(ConsumerRecord<byte[], byte[]> record) {
      this.record = record;
    }

    String id() {
      return header("tideover-id");
    }

    String header(String name) {
      List<String> values = headers(name);
      if (values.size() > 1) {
        throw new AssertionError(name + " occurs " + values.size() + " times");
      }
      return values.isEmpty() ? null : values.get(0);
    }

    List<String> headers(String name) {
      List<String> values = new ArrayList<>();
      for (Header header : record.headers().headers(name)) {
        values.add(new String(header.value(), UTF_8));
      }
      return values;
    }

    /** All of them as {@code name: value}, in their order. */
    List<String> lines() {
      List<String> lines = new ArrayList<>();
      for (Header header : record.headers()) {
        lines.add(header.key() + ": " + new String(header.value(), UTF_8));
      }
      return lines;
    }

    void reply(int status, byte[] body, String... fields) {
      send(
          record(
              "completed", header("tideover-fingerprint"), Integer.toString(status), body, fields));
    }

    /** The same, acknowledged. Gives the offset of the reply. */
    long replyAndWait(int status, byte[] body, String... fields) {
      String fingerprint = header("tideover-fingerprint");
      return sendAndWait(record("completed", fingerprint, Integer.toString(status), body, fields));
    }

    /** Says that it has been handled before. */
    void duplicateOf(long original) {
      ProducerRecord<byte[], byte[]> reply =
          record("duplicate", header("tideover-fingerprint"), null, new byte[0]);
      add(reply, "tideover-original", Long.toString(original));
      send(reply);
    }

    void end(String outcome) {
      ProducerRecord<byte[], byte[]> reply =
          record(outcome, header("tideover-fingerprint"), null, new byte[0]);
      if (outcome.equals("duplicate")) {
        add(reply, "tideover-original", "0");
      }
      send(reply);
    }

    /** A reply record with any content, to be sent as it is or changed first. */
    ProducerRecord<byte[], byte[]> record(
        String outcome, String fingerprint, String status, byte[] body, String... fields) {
      String[] to = header("tideover-reply-to").split("/");
      ProducerRecord<byte[], byte[]> reply =
          new ProducerRecord<>(to[0], Integer.parseInt(to[1]), id().getBytes(UTF_8), body);
      add(reply, "tideover-v", "1");
      add(reply, "tideover-id", id());
      add(reply, "tideover-fingerprint", fingerprint);
      add(reply, "tideover-outcome", outcome);
      add(reply, "tideover-by", "raw/v1/1");
      add(reply, "tideover-attempts", "1");
      if (status != null) {
        add(reply, ":status", status);
      }
      for (int i = 0; i < fields.length; i += 2) {
        add(reply, fields[i], fields[i + 1]);
      }
      return reply;
    }
  }

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final KafkaProducer<byte[], byte[]> producer;
  private final Map<String, Handler> handlers = new ConcurrentHashMap<>();
  private final Map<String, CompletableFuture<Request>> byPath = new ConcurrentHashMap<>();
  private final Thread thread = new Thread(this::run, "raw-service");
  private volatile boolean closed;

  private RawService(String bootstrapServers, String topic, int partitions) {
    Map<String, Object> servers = Map.of("bootstrap.servers", bootstrapServers);
    consumer =
        new KafkaConsumer<>(
            Map.of(
                "bootstrap.servers",
                bootstrapServers,
                "auto.offset.reset",
                "earliest",
                "max.partition.fetch.bytes",
                8 << 20,
                "enable.auto.commit",
                false),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer());
    producer =
        new KafkaProducer<>(
            Map.of(
                "bootstrap.servers",
                servers.get("bootstrap.servers"),
                "linger.ms",
                0,
                "max.request.size",
                8 << 20),
            new ByteArraySerializer(),
            new ByteArraySerializer());
    consumer.assign(
        IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(topic, p)).toList());
  }

  /** Starts at the beginning of {@code <service>.requests}, which must be there. */
  static RawService start(String bootstrapServers, String service, int partitions) {
    RawService raw = new RawService(bootstrapServers, service + ".requests", partitions);
    raw.thread.start();
    return raw;
  }

  /** What to do with requests for this path; those of other paths are kept and not answered. */
  RawService on(String path, Handler handler) {
    handlers.put(path, handler);
    return this;
  }

  /** The latest request for this path, once there is one. */
  Request awaitRequest(String path) throws Exception {
    return byPath.computeIfAbsent(path, p -> new CompletableFuture<>()).get(20, TimeUnit.SECONDS);
  }

  long sendAndWait(ProducerRecord<byte[], byte[]> reply) {
    try {
      return producer.send(reply).get(20, TimeUnit.SECONDS).offset();
    } catch (Exception e) {
      throw new AssertionError("Kafka did not take a reply of the test", e);
    }
  }

  void send(ProducerRecord<byte[], byte[]> reply) {
    producer.send(reply);
  }

  static void add(ProducerRecord<byte[], byte[]> record, String name, String value) {
    record.headers().add(name, value.getBytes(UTF_8));
  }

  private void run() {
    try {
      while (!closed) {
        poll();
      }
    } catch (WakeupException e) {
      // Closed.
    } finally {
      consumer.close();
    }
  }

  private void poll() {
    try {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
        Request request = new Request(record);
        String target = request.header(":path");
        int question = target.indexOf('?');
        String path = question < 0 ? target : target.substring(0, question);
        byPath.computeIfAbsent(path, p -> new CompletableFuture<>()).complete(request);
        Handler handler = handlers.get(path);
        if (handler != null) {
          handler.handle(request);
        }
      }
    } catch (WakeupException e) {
      throw e;
    } catch (KafkaException e) {
      // The broker is away; the next poll tries again.
    } catch (Exception e) {
      throw new AssertionError("a handler of the test failed", e);
    }
  }

  @Override
  public void close() {
    closed = true;
    consumer.wakeup();
    try {
      thread.join(10_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    producer.close(Duration.ofSeconds(2));
  }
}
