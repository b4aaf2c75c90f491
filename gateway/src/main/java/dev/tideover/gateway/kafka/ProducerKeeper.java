package dev.tideover.gateway.kafka;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.apache.kafka.clients.producer.Producer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one producer at work: makes it, replaces it when it has failed for good, closes it. Owns
 * the current {@link ProducerSession} and the maintenance thread. Safe for any thread; only {@link
 * #start}, {@link #serve} and {@link #close} wait.
 *
 * <p>A new producer is used only when it knows where all topics' partitions are, since a send never
 * waits for that. It asks by itself as long as no broker answers, so nobody has to send a request
 * to find out that Kafka is back.
 */
final class ProducerKeeper implements AutoCloseable {

  /** What is written to; a record for a topic that isn't here is refused. */
  record Topics(Map<String, Integer> partitions, List<String> required) {

    /**
     * Topics.
     *
     * @param partitions how many each topic has
     * @param required those that must be known before the producer is used
     */
    Topics {
      partitions = Map.copyOf(partitions);
      required = List.copyOf(required);
    }
  }

  private static final Logger LOG = LoggerFactory.getLogger(ProducerKeeper.class);

  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(10);

  /** How often a producer is asked whether it knows its topics by now; nothing tells. */
  private static final long TURN_MILLIS = 10;

  private static final long WATCH_MILLIS = 1_000;

  /** Much longer than a send takes, also on an event loop that is held up. */
  private static final long RETIRE_MILLIS = 2_000;

  /** Behind a producer that had worked; it leaves that one time to take its name off. */
  private static final long FIRST_BACKOFF_MILLIS = 250;

  private static final long MIN_BACKOFF_MILLIS = 1_000;
  private static final long MAX_BACKOFF_MILLIS = 30_000;

  private final Supplier<Producer<byte[], byte[]>> producers;
  private final LongSupplier nanoTime;
  private final Duration stuckAfter;

  /** Null while a producer is being made, and once the keeper is closed. */
  private final AtomicReference<@Nullable ProducerSession> current = new AtomicReference<>();

  private final ScheduledExecutorService maintenance =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "tideover-producer-keeper");
            thread.setDaemon(true);
            return thread;
          });

  /** Changed by the maintenance thread only. */
  private volatile Topics topics;

  /** The session that learns its topics; changed by the maintenance thread only. */
  private volatile @Nullable ProducerSession learner;

  /** Out of use by {@link #renew}, and not closed yet. */
  private final Set<ProducerSession> retired = ConcurrentHashMap.newKeySet();

  /** Touched by the maintenance thread only. */
  private long backoffMillis = MIN_BACKOFF_MILLIS;

  private volatile boolean closed;

  private ProducerKeeper(
      Supplier<Producer<byte[], byte[]>> producers,
      Topics topics,
      Duration stuckAfter,
      LongSupplier nanoTime) {
    this.producers = producers;
    this.topics = topics;
    this.stuckAfter = stuckAfter;
    this.nanoTime = nanoTime;
  }

  /**
   * Makes the first producer and blocks until it can be used.
   *
   * @param producers makes one; called on this thread first and on the maintenance thread later
   * @param stuckAfter a producer that keeps a record for longer is replaced
   * @throws KafkaUnavailableException if that takes longer than the limit
   */
  static ProducerKeeper start(
      Supplier<Producer<byte[], byte[]>> producers,
      Topics topics,
      Duration stuckAfter,
      Duration limit,
      LongSupplier nanoTime) {
    ProducerKeeper keeper = new ProducerKeeper(producers, topics, stuckAfter, nanoTime);
    try {
      ProducerSession first = keeper.session();
      keeper.learner = first;
      keeper.await(first, topics, limit, () -> keeper.use(first));
      var unused =
          keeper.maintenance.scheduleWithFixedDelay(
              guarded(keeper::watch), WATCH_MILLIS, WATCH_MILLIS, TimeUnit.MILLISECONDS);
      return keeper;
    } catch (RuntimeException | Error e) {
      keeper.close();
      throw e;
    }
  }

  /** The session to send with; null while there is none, and after the close. */
  @Nullable ProducerSession current() {
    return current.get();
  }

  boolean isClosed() {
    return closed;
  }

  /**
   * Writes to these topics from now on and to no others. Blocks until the producer knows them.
   *
   * @throws KafkaUnavailableException if it doesn't within the limit; then nothing has changed
   */
  void serve(Topics next, Duration limit) {
    ProducerSession session = working();
    await(
        session,
        next,
        limit,
        () -> {
          topics = next;
          session.serve(next.partitions());
        });
  }

  /**
   * The same with a new producer, where the old one's settings don't do for them. The old one sends
   * what it has, behind the scenes, 10 s at most.
   *
   * @throws KafkaUnavailableException as {@link #serve} does
   */
  void renew(Topics next, Duration limit) {
    var unused = working();
    ProducerSession fresh = session();
    try {
      await(
          fresh,
          next,
          limit,
          () -> {
            topics = next;
            fresh.serve(next.partitions());
            ProducerSession old = current.getAndSet(fresh);
            if (old != null) {
              retire(old);
            }
          });
    } catch (RuntimeException e) {
      discard(fresh, Duration.ZERO);
      throw e;
    }
  }

  /** Closes it a little later: whoever has just taken it to send with must not find it closed. */
  private void retire(ProducerSession old) {
    retired.add(old);
    later(
        () -> {
          if (retired.remove(old)) {
            discard(old, CLOSE_LIMIT);
          }
        },
        RETIRE_MILLIS);
  }

  private ProducerSession working() {
    ProducerSession session = current.get();
    if (session == null) {
      throw new KafkaUnavailableException(
          "the producer has failed and is being replaced, so it can't learn topics now; try again"
              + " when the gateway is ready",
          null);
    }
    return session;
  }

  /** Waits until the session knows the topics and that was done, on the maintenance thread. */
  private void await(ProducerSession session, Topics wanted, Duration limit, Runnable then) {
    CompletableFuture<@Nullable Void> known = new CompletableFuture<>();
    CompletableFuture<Void> done = known.thenRun(then);
    maintenance.execute(() -> learn(session, wanted, known));
    try {
      var unused = done.get(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      if (!known.cancel(false)) {
        // In this very moment they came to be known; what is left takes no time.
        done.join();
        return;
      }
      throw new KafkaUnavailableException(
          "topics "
              + String.join(", ", wanted.required())
              + ": no broker told the partitions of all of them within "
              + limit.toSeconds()
              + " s",
          e);
    } catch (ExecutionException e) {
      throw new KafkaUnavailableException("the producer failed while it learned its topics", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new KafkaUnavailableException("interrupted while the producer learned its topics", e);
    } finally {
      known.cancel(false);
    }
  }

  /** Asks again and again, until all topics are known, nobody waits for it or the keeper closes. */
  private void learn(
      ProducerSession session, Topics wanted, CompletableFuture<@Nullable Void> known) {
    if (known.isDone()) {
      return;
    }
    try {
      boolean all = true;
      for (String topic : wanted.required()) {
        all &= session.knows(topic);
      }
      if (all) {
        known.complete(null);
      } else {
        later(() -> learn(session, wanted, known), TURN_MILLIS);
      }
    } catch (RuntimeException e) {
      known.completeExceptionally(e);
    }
  }

  private ProducerSession session() {
    return new ProducerSession(producers.get(), nanoTime, this::replace);
  }

  /** On the maintenance thread. */
  private void use(ProducerSession session) {
    session.serve(topics.partitions());
    learner = null;
    if (closed || !current.compareAndSet(null, session)) {
      // Another has been put to work meanwhile, or none is wanted any more.
      discard(session, Duration.ZERO);
    }
  }

  /** Any thread, also the producer's own and event loops: so it only takes it out of use. */
  private void replace(ProducerSession broken, String reason) {
    if (!current.compareAndSet(broken, null)) {
      return;
    }
    LOG.error(
        "The Kafka producer has failed for good and is replaced: {}. Until the new one is ready"
            + " requests get 503, and 504 those that were under way",
        reason);
    discard(broken, Duration.ZERO);
    later(
        () -> {
          backoffMillis = broken.hasWorked() ? FIRST_BACKOFF_MILLIS : backoffMillis;
          makeLater();
        },
        0);
  }

  /** On the maintenance thread. */
  private void makeLater() {
    later(this::make, backoffMillis);
    backoffMillis = Math.min(Math.max(2 * backoffMillis, MIN_BACKOFF_MILLIS), MAX_BACKOFF_MILLIS);
  }

  private void make() {
    ProducerSession session;
    try {
      session = session();
    } catch (RuntimeException e) {
      LOG.error(
          "No new Kafka producer can be made: {}. Will try again in {} ms; until then requests get"
              + " 503",
          e.getMessage(),
          backoffMillis);
      makeLater();
      return;
    }
    if (closed) {
      discard(session, Duration.ZERO);
      return;
    }
    learner = session;
    CompletableFuture<@Nullable Void> known = new CompletableFuture<>();
    var unused =
        known.whenComplete(
            (nothing, failure) -> {
              if (failure == null) {
                use(session);
                LOG.info("The new Kafka producer is ready: requests are taken again");
              } else {
                LOG.error(
                    "A new Kafka producer has failed at once: {}. Will try again in {} ms; until"
                        + " then requests get 503",
                    failure.getMessage(),
                    backoffMillis);
                discard(session, Duration.ZERO);
                makeLater();
              }
            });
    learn(session, topics, known);
  }

  private void watch() {
    ProducerSession session = current.get();
    if (session != null && session.isStuck(stuckAfter)) {
      replace(
          session,
          "it has kept a record for longer than "
              + stuckAfter.toSeconds()
              + " s, which it mustn't");
    }
  }

  /** On a thread of its own, since one that hangs must not keep the next producer from coming. */
  private static void discard(ProducerSession session, Duration limit) {
    Thread thread = new Thread(() -> close(session, limit), "tideover-old-producer");
    thread.setDaemon(true);
    thread.start();
  }

  private static void close(ProducerSession session, Duration limit) {
    try {
      session.close(limit);
    } catch (RuntimeException e) {
      LOG.warn("A Kafka producer did not close cleanly; its sockets may stay open", e);
    }
  }

  private void later(Runnable task, long millis) {
    try {
      var unused = maintenance.schedule(guarded(task), millis, TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException theKeeperIsClosed) {
      // Then there is nothing to be done later.
    }
  }

  /** Its exceptions would be lost, and a periodic task would end with the first. */
  private static Runnable guarded(Runnable task) {
    return () -> {
      try {
        task.run();
      } catch (RuntimeException | Error e) {
        LOG.error("BUG: the care for the Kafka producer failed; restart if requests get 503", e);
      }
    };
  }

  /** Sends what is buffered, waits for it 10 s at most, and closes. */
  @Override
  public void close() {
    closed = true;
    maintenance.shutdownNow();
    try {
      var unused = maintenance.awaitTermination(2, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    ProducerSession unready = learner;
    if (unready != null) {
      close(unready, Duration.ZERO);
    }
    retired.forEach(old -> discard(old, CLOSE_LIMIT));
    ProducerSession session = current.getAndSet(null);
    if (session != null) {
      close(session, CLOSE_LIMIT);
    }
  }
}
