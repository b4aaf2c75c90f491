package dev.tideover.loadtests.contender;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;

/**
 * A program that drains topics. Its process takes lines: a {@link Job}, which it begins and says
 * {@link #STARTED}, and {@link #STOP}, which it carries out and says {@link #STOPPED}. So one JVM
 * lives through all rounds of a scenario and is warm in every one. It ends with its input.
 */
public interface Contender {

  /** Ends the running job. */
  String STOP = "stop";

  /** The answer to a job. */
  String STARTED = "STARTED";

  /** The answer to {@link #STOP}. */
  String STOPPED = "STOPPED";

  /** Where the request's id stands in its record; a reply's key is that id. */
  String ID_HEADER = "tideover-id";

  /** Begins to drain; to run what it returns ends it, and returns when it has ended. */
  Runnable start(Job job);

  /** The process's loop. */
  static void run(Contender contender) throws IOException {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Runnable end = contender.start(Job.parse(line));
      System.out.println(STARTED);
      untilStop(lines);
      end.run();
      System.out.println(STOPPED);
    }
  }

  private static void untilStop(BufferedReader lines) throws IOException {
    String line = lines.readLine();
    while (line != null && !line.equals(STOP)) {
      line = lines.readLine();
    }
  }

  /** The consumer's settings: those with which the SDK reads, for all. */
  static Map<String, Object> consumerSettings(String bootstrapServers, String group) {
    return Map.of(
        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
        bootstrapServers,
        ConsumerConfig.GROUP_ID_CONFIG,
        group,
        ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
        "earliest",
        ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG,
        "false",
        ConsumerConfig.MAX_POLL_RECORDS_CONFIG,
        "1000",
        ConsumerConfig.FETCH_MAX_BYTES_CONFIG,
        "" + (16 << 20));
  }

  /** The producer's settings: those with which the SDK sends, for all. */
  static Map<String, Object> producerSettings(String bootstrapServers) {
    return Map.of(
        ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers,
        ProducerConfig.ACKS_CONFIG, "all",
        ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true",
        ProducerConfig.LINGER_MS_CONFIG, "0");
  }
}
