package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.sdk.internal.core.MemberWatch;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.WireHeaders;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The instances of the service hear what gateways tell all of them, and each other's heartbeats in
 * {@code <service>.members}, and remove one that has fallen silent from the group, so that its
 * partitions go on long before the session timeout. {@link MemberWatch} says which; this owns the
 * thread, the consumer and the admin client for it.
 *
 * <p>The thread never waits for Kafka but in a poll that is bounded: while it waited its own
 * heartbeats would stay out, and the others would take this instance for dead.
 */
final class Members implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(Members.class);

  private static final String ALIVE = "alive";
  private static final String LEAVING = "leaving";

  private static final byte[] EMPTY = new byte[0];

  /** Nothing has to be noticed sooner than this. */
  private static final Duration POLL = Duration.ofMillis(100);

  /**
   * A pause after something was read, so that many instances are not woken by each heartbeat of
   * each other.
   */
  private static final Duration REST = Duration.ofMillis(40);

  private static final int FETCH_WAIT = 250;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);
  private static final Duration END_TIMEOUT = Duration.ofSeconds(5);

  private final Settings settings;
  private final String name;
  private final String incarnation;
  private final TopicPartition topic;
  private final Consumer<ProducerRecord<byte[], byte[]>> send;
  private final Consumer<Cancellation> onCancellation;
  private final GroupCleaner cleaner;
  private final KafkaConsumer<byte[], byte[]> reader;
  private final Thread thread;
  private final CountDownLatch stop = new CountDownLatch(1);
  private final CompletableFuture<Void> listening = new CompletableFuture<>();
  private final CompletableFuture<Void> heardAll = new CompletableFuture<>();
  private final Occasionally maySayFailed = new Occasionally(Duration.ofSeconds(10));

  private volatile Set<String> alive;

  /** Whether this instance ends without leaving the group. */
  private volatile boolean staying;

  /** Whether this instance is, or is about to be, in the group, and so has to be heard. */
  private volatile boolean speaking;

  /** For the thread only, as are the next ones. */
  private final MemberWatch watch;

  private boolean hasSpoken;
  private long nextHeartbeat;

  private Members(
      Settings settings,
      String incarnation,
      Consumer<ProducerRecord<byte[], byte[]>> send,
      Consumer<Cancellation> onCancellation,
      BooleanSupplier stillWaiting) {
    this.settings = settings;
    this.name = ClientProperties.memberName(settings);
    this.incarnation = incarnation;
    this.topic = new TopicPartition(ServiceTopics.members(settings), 0);
    this.send = send;
    this.onCancellation = onCancellation;
    this.alive = Set.of(incarnation);
    this.watch = new MemberWatch(name, incarnation);
    Map<String, Object> readerConfig =
        ClientProperties.reader(settings, "members", "latest", FETCH_WAIT);
    this.cleaner = new GroupCleaner(settings, watch, stillWaiting);
    try {
      this.reader = ClientProperties.client(() -> new KafkaConsumer<>(readerConfig));
    } catch (RuntimeException refused) {
      cleaner.close();
      throw refused;
    }
    this.thread = new Thread(this::run, "tideover-" + settings.service() + "-members");
    thread.setDaemon(true);
  }

  /**
   * Opens the clients, and begins to listen. Until {@link #speak} nobody hears this instance, and
   * it takes nobody for silent, since it judges by how its own heartbeats come back: so it is with
   * one that stands by outside the group.
   *
   * @param incarnation this run of the instance: a random text
   * @param send sends a record and returns; called on the thread of this object. While it blocks
   *     nobody hears this instance, and when it throws that heartbeat is left out
   * @param onCancellation gets each cancellation that is heard, on the thread of this object; must
   *     not block or throw
   * @param stillWaiting whether this instance has no partition yet, so that it is worth asking the
   *     group often; any thread
   * @throws IllegalArgumentException if Kafka's clients don't take their settings
   */
  static Members listen(
      Settings settings,
      String incarnation,
      Consumer<ProducerRecord<byte[], byte[]>> send,
      Consumer<Cancellation> onCancellation,
      BooleanSupplier stillWaiting) {
    Members members = new Members(settings, incarnation, send, onCancellation, stillWaiting);
    members.thread.start();
    return members;
  }

  /**
   * Begins to send heartbeats. To be called before the group is joined, since a member that nobody
   * hears is removed. Any thread.
   */
  void speak() {
    speaking = true;
  }

  /**
   * Waits until every instance that is alive has been heard, so that {@link #alive} is complete;
   * any thread. It takes about 0.7 s from {@link #speak}.
   *
   * @return whether it is so
   */
  boolean awaitHeardAll(Duration timeout) throws InterruptedException {
    return await(heardAll, timeout);
  }

  /**
   * Waits until whatever comes into the topic from now on is heard; any thread. That is so as soon
   * as there is a connection.
   *
   * @return whether it is so
   */
  boolean awaitListening(Duration timeout) throws InterruptedException {
    return await(listening, timeout);
  }

  /** The incarnations that aren't known to have ended, this one among them. Any thread. */
  Set<String> alive() {
    return alive;
  }

  /**
   * Makes the group give up a member under this instance's own name that has crashed. Any thread
   * but one caller at a time. Under KIP-848 such a member keeps its name until its session ends.
   *
   * @return true once no other run under the name was heard for 1 s, and the group has it no more;
   *     false if that isn't so within the time: another process with the name is alive
   */
  boolean releaseName(Duration timeout) throws InterruptedException {
    CompletableFuture<Void> released = new CompletableFuture<>();
    cleaner.wantName(released);
    try {
      return await(released, timeout);
    } finally {
      cleaner.wantName(null);
    }
  }

  /**
   * Whether an instance of this version is in the group, or has asked to be; any thread. Done with
   * false where Kafka doesn't say.
   */
  CompletableFuture<Boolean> inGroup(String version) {
    return cleaner.inGroup(version);
  }

  private static boolean await(CompletableFuture<Void> future, Duration timeout)
      throws InterruptedException {
    try {
      future.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException | ExecutionException notSo) {
      return false;
    }
  }

  private void run() {
    try {
      reader.assign(List.of(topic));
      nextHeartbeat = System.nanoTime();
      while (stop.getCount() > 0) {
        runOnce();
      }
    } catch (InterruptedException | InterruptException closing) {
      log.trace("The members' thread ends");
    } catch (Throwable broken) {
      log.error(
          "The thread for the heartbeats has broken down. The other instances take this one for"
              + " dead and go on with its partitions; restart it.",
          broken);
    } finally {
      // An interrupt has done what it was for; it would cut the closing short.
      Thread.interrupted();
      if (hasSpoken && !staying) {
        heartbeat(LEAVING);
      }
      cleaner.close();
      reader.close(CloseOptions.timeout(CLOSE_TIMEOUT));
    }
  }

  private void runOnce() throws InterruptedException {
    long now = System.nanoTime();
    boolean due = now - nextHeartbeat >= 0;
    if (speaking && (due || !hasSpoken)) {
      hasSpoken = true;
      heartbeat(ALIVE);
    }
    if (due) {
      // In step, but none is made up for.
      nextHeartbeat = Math.max(nextHeartbeat, now - MemberWatch.INTERVAL) + MemberWatch.INTERVAL;
    }
    boolean some = listen();
    if (!listening.isDone() && hasPosition()) {
      listening.complete(null);
    }
    // Taken after what there was has been read: whoever isn't in it has been silent until now.
    now = System.nanoTime();
    alive = Set.copyOf(watch.alive(now));
    if (watch.hasHeardAll(now)) {
      heardAll.complete(null);
    }
    cleaner.tick(now);
    if (some) {
      pause(REST);
    }
  }

  /** Waits, but not beyond the next heartbeat. */
  private void pause(Duration duration) throws InterruptedException {
    if (stop.await(untilHeartbeat(duration).toNanos(), TimeUnit.NANOSECONDS)) {
      log.trace("Told to stop");
    }
  }

  private Duration untilHeartbeat(Duration atMost) {
    Duration left = Duration.ofNanos(Math.max(0, nextHeartbeat - System.nanoTime()));
    return left.compareTo(atMost) < 0 ? left : atMost;
  }

  private void heartbeat(String state) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(topic.topic(), topic.partition(), name.getBytes(UTF_8), EMPTY);
    record
        .headers()
        .add(WireHeaders.VERSION, WireHeaders.VERSION_1.getBytes(UTF_8))
        .add(WireHeaders.BY, settings.by().getBytes(UTF_8))
        .add(WireHeaders.INCARNATION, incarnation.getBytes(UTF_8))
        .add(WireHeaders.STATE, state.getBytes(UTF_8));
    try {
      send.accept(record);
    } catch (RuntimeException notSent) {
      if (maySayFailed.now()) {
        log.warn(
            "A heartbeat wasn't sent: {}. While none is, the other instances take this one for"
                + " dead and go on with its partitions.",
            notSent.toString());
      }
    }
  }

  /** Whether the reader knows where it goes on; until then what comes may be passed over. */
  private boolean hasPosition() {
    try {
      reader.position(topic, Duration.ZERO);
      return true;
    } catch (InterruptException closing) {
      throw closing;
    } catch (KafkaException notYet) {
      return false;
    }
  }

  /** Takes what has come; whether there was something. */
  private boolean listen() throws InterruptedException {
    boolean some = false;
    try {
      for (ConsumerRecord<byte[], byte[]> record : reader.poll(untilHeartbeat(POLL))) {
        some = true;
        take(System.nanoTime(), record);
      }
    } catch (InterruptException closing) {
      throw closing;
    } catch (KafkaException failure) {
      if (maySayFailed.now()) {
        log.warn(
            "Can't read {}: {}. Until it can be read, this instance doesn't notice when another"
                + " one crashes; Kafka does, after the session timeout.",
            topic.topic(),
            failure.toString());
      }
      pause(POLL);
    }
    return some;
  }

  private void take(long now, ConsumerRecord<byte[], byte[]> record) {
    Cancellation cancellation = Cancellation.decode(record);
    if (cancellation != null) {
      onCancellation.accept(cancellation);
      return;
    }
    String who = LedgerCodec.key(record);
    String run = LedgerCodec.find(record.headers(), WireHeaders.INCARNATION);
    String state = LedgerCodec.find(record.headers(), WireHeaders.STATE);
    String version = LedgerCodec.find(record.headers(), WireHeaders.VERSION);
    if (who == null || run == null || !WireHeaders.VERSION_1.equals(version)) {
      return;
    }
    if (ALIVE.equals(state)) {
      watch.alive(now, who, run);
    } else if (LEAVING.equals(state)) {
      watch.leaving(now, who, run);
    }
  }

  /**
   * At its end this instance isn't going to leave the group, and so doesn't say that it will: to
   * the others, if there are any, it then falls silent. Any thread.
   */
  void stay() {
    staying = true;
  }

  /**
   * Says that this instance leaves, and ends; at most about 5 s. To be called when the group has
   * been left, or is about to be, and before the producer is closed.
   */
  @Override
  public void close() {
    stop.countDown();
    try {
      thread.join(END_TIMEOUT.toMillis());
      if (thread.isAlive()) {
        thread.interrupt();
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
