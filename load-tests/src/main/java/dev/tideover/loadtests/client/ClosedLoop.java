package dev.tideover.loadtests.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * One round of load: every connection sends its next request when the answer to its last has come.
 * What is counted are the answers that come within the measured time. A closed loop shows what a
 * system carries; its latencies are those at that load, not those at a given rate. One thread owns
 * all of it.
 */
public final class ClosedLoop {

  /** Longer than a gateway keeps a request waiting, so that a late answer is late, not lost. */
  private static final long GRACE_NANOS = TimeUnit.SECONDS.toNanos(40);

  private static final long MAX_MICROS = TimeUnit.MINUTES.toMicros(2);

  private final ByteBuffer scratch = ByteBuffer.allocateDirect(64 * 1024);
  private final Histogram latencies = new Histogram(MAX_MICROS, 3);
  private final long measureFrom;
  private final long until;
  private int busy;
  private long answers;
  private long measured;
  private long errors;
  private String firstError = "";

  private ClosedLoop(Load load, long now) {
    measureFrom = now + TimeUnit.MILLISECONDS.toNanos(load.rampMillis());
    until = measureFrom + TimeUnit.MILLISECONDS.toNanos(load.millis());
  }

  /**
   * Runs one round; ends at most 40 s after its time.
   *
   * @throws IOException if a connection can't be opened
   */
  public static Measurement run(Load load) throws IOException {
    List<Connection> connections = new ArrayList<>();
    try (Selector selector = Selector.open()) {
      // A key of an earlier round would bring that one's answer again.
      long round = ThreadLocalRandom.current().nextLong();
      for (int i = 0; i < load.connections(); i++) {
        connections.add(new Connection(selector, load, round, i));
      }
      return new ClosedLoop(load, System.nanoTime()).run(load, selector, connections);
    } finally {
      for (Connection connection : connections) {
        connection.close();
      }
    }
  }

  private Measurement run(Load load, Selector selector, List<Connection> connections)
      throws IOException {
    busy = connections.size();
    for (Connection connection : connections) {
      send(connection, System.nanoTime());
    }
    long giveUpAt = until + GRACE_NANOS;
    while (busy > 0) {
      long left = giveUpAt - System.nanoTime();
      if (left <= 0) {
        fail("no answer within " + TimeUnit.NANOSECONDS.toSeconds(GRACE_NANOS) + " s", busy);
        break;
      }
      selector.select(this::ready, TimeUnit.NANOSECONDS.toMillis(left) + 1);
    }
    return new Measurement(
        measured * 1000.0 / load.millis(),
        latencies.getValueAtPercentile(50),
        latencies.getValueAtPercentile(99),
        latencies.getMaxValue(),
        answers,
        errors,
        firstError);
  }

  private void ready(SelectionKey key) {
    Connection connection = (Connection) key.attachment();
    try {
      if (key.isWritable()) {
        connection.write();
      } else if (connection.read(scratch)) {
        answered(connection);
      }
    } catch (IOException e) {
      abandon(connection, e);
    }
  }

  private void answered(Connection connection) {
    long now = System.nanoTime();
    String fault = connection.fault();
    if (!fault.isEmpty()) {
      fail(fault, 1);
    } else {
      answers++;
      if (now >= measureFrom && now < until) {
        measured++;
        latencies.recordValue(Math.min(MAX_MICROS, (now - connection.sentAt()) / 1000));
      }
    }
    if (now < until) {
      send(connection, now);
    } else {
      busy--;
    }
  }

  private void send(Connection connection, long now) {
    try {
      connection.send(now);
    } catch (IOException e) {
      abandon(connection, e);
    }
  }

  private void abandon(Connection connection, IOException cause) {
    busy--;
    fail(cause.getClass().getSimpleName() + ": " + cause.getMessage(), 1);
    try {
      connection.close();
    } catch (IOException e) {
      fail("a connection could not be closed: " + e.getMessage(), 1);
    }
  }

  private void fail(String what, int times) {
    errors += times;
    if (firstError.isEmpty()) {
      firstError = what;
    }
  }
}
