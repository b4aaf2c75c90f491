package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.Adoption;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InterruptException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out about partitions that are assigned to this instance what the core has to know before
 * their first request starts: what is committed, with its note; where the log begins and ends; and
 * what the ledger remembers.
 *
 * <p>It owns a thread, on which it asks for all partitions that wait at once, and the clients of a
 * {@link PartitionInquiry}. These are opened and used once by {@link #start}, so that a partition
 * waits for no connection. The same thread looks every 5 s whether the request topic is still the
 * same one.
 */
final class Adopter implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(Adopter.class);

  private static final long FIRST_BACKOFF = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long MAX_BACKOFF = TimeUnit.SECONDS.toNanos(2);
  private static final long TOPIC_CHECK = TimeUnit.SECONDS.toNanos(5);

  private static final Duration END_TIMEOUT = Duration.ofSeconds(5);

  /** What became of {@link #adopt}. */
  sealed interface Result {

    /** It is known. */
    record Found(Adoption adoption) implements Result {}

    /**
     * It can't be found out, and trying again would be in vain.
     *
     * @param reason what is wrong and what to do, for people
     */
    record Failed(String reason) implements Result {}
  }

  /** One call of {@link #adopt}; not a record, since two are never the same. */
  private static final class Request {
    final Consumer<Result> callback;

    Request(Consumer<Result> callback) {
      this.callback = callback;
    }
  }

  private final Settings settings;
  private final PartitionInquiry inquiry;
  private final Runnable listening;
  private final Thread thread;
  private final CompletableFuture<Void> warm = new CompletableFuture<>();
  private final Occasionally maySayFailed = new Occasionally(Duration.ofSeconds(10));

  /** Guarded by this: what is asked for and not answered; at most one for a partition. */
  private final Map<TopicPartition, Request> wanted = new LinkedHashMap<>();

  /** Guarded by this: whether the thread may be in the middle of asking. */
  private boolean mayInterrupt = true;

  /** Guarded by this: why nothing is asked any more; null while something is. */
  private @Nullable String ended;

  /** For the thread only. */
  private long backoff = FIRST_BACKOFF;

  private Adopter(Settings settings, PartitionInquiry inquiry, Runnable listening) {
    this.settings = settings;
    this.inquiry = inquiry;
    this.listening = listening;
    this.thread = new Thread(this::run, "tideover-" + settings.service() + "-adopter");
    thread.setDaemon(true);
  }

  /**
   * Opens the clients and begins to use them.
   *
   * @param ledger whether there is a ledger topic that can be used
   * @param window for which finished ids are known; for the epoch milliseconds' clock
   * @param epochMillis the time of day; called on the adopter's thread
   * @param listening waits, for a bounded time, until what comes after the ledger was read is heard
   *     elsewhere; called once, on the adopter's thread, before the first partition
   * @param alive the incarnations whose heartbeats are heard; called on the adopter's thread, and
   *     only if a start in the ledger has no end
   * @param onTopicChanged gets the request topic's id before and after, when it has been deleted
   *     and made anew; called on the adopter's thread
   * @throws IllegalArgumentException if Kafka's clients don't take their settings
   */
  static Adopter start(
      Settings settings,
      boolean ledger,
      Duration window,
      LongSupplier epochMillis,
      Runnable listening,
      Supplier<Set<String>> alive,
      BiConsumer<Uuid, Uuid> onTopicChanged) {
    Adopter adopter =
        new Adopter(
            settings,
            new PartitionInquiry(settings, ledger, window, epochMillis, alive, onTopicChanged),
            listening);
    adopter.thread.start();
    return adopter;
  }

  /**
   * Waits until the connections are there; any thread. Without them the first adoption takes
   * longer, no more.
   */
  void awaitWarm(Duration timeout) throws InterruptedException {
    try {
      warm.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException notYet) {
      log.debug("The adopter isn't connected yet, which only takes time later", notYet);
    }
  }

  /**
   * Finds out about a partition; any thread, returns at once. Where Kafka doesn't answer it is
   * tried again until {@link #cancel}. Another call for the same partition takes the place of one
   * that isn't answered.
   *
   * @param callback gets the result, on the adopter's thread or, where that has ended, at once; it
   *     must not block. A result that is on its way when it is cancelled still comes
   */
  void adopt(TopicPartition partition, Consumer<Result> callback) {
    String reason;
    synchronized (this) {
      reason = ended;
      if (reason == null) {
        wanted.put(partition, new Request(callback));
        notifyAll();
      }
    }
    if (reason != null) {
      callback.accept(new Result.Failed(reason));
    }
  }

  /** Nobody wants to know about the partition any more; any thread. */
  synchronized void cancel(TopicPartition partition) {
    wanted.remove(partition);
  }

  private synchronized boolean isWanted(TopicPartition partition, @Nullable Request request) {
    return request != null && wanted.get(partition) == request;
  }

  private void run() {
    String reason = "the consumer is closed";
    try {
      warmUp();
      listening.run();
      long nextTry = System.nanoTime();
      long nextCheck = nextTry + TOPIC_CHECK;
      while (awaitWork(nextTry, nextCheck)) {
        Map<TopicPartition, Request> due = due();
        if (!due.isEmpty()) {
          nextTry = System.nanoTime() + tryToAdopt(due);
        }
        if (System.nanoTime() - nextCheck >= 0) {
          checkTopic();
          nextCheck = System.nanoTime() + TOPIC_CHECK;
        }
      }
    } catch (InterruptedException | InterruptException closing) {
      log.trace("The adopter ends");
    } catch (Throwable broken) {
      reason = "what has to be known of a partition can't be found out any more: " + broken;
      log.error("The thread that finds out about partitions has broken down", broken);
    } finally {
      end(reason);
      synchronized (this) {
        mayInterrupt = false;
      }
      // An interrupt has done what it was for; it would cut the closing short.
      Thread.interrupted();
      inquiry.close();
    }
  }

  private void end(String reason) {
    warm.complete(null);
    Map<TopicPartition, Request> unanswered;
    synchronized (this) {
      ended = reason;
      unanswered = new LinkedHashMap<>(wanted);
    }
    unanswered.forEach((part, request) -> answer(part, request, new Result.Failed(reason)));
  }

  /** Waits for something to do; false when closed. */
  private synchronized boolean awaitWork(long nextTry, long nextCheck) throws InterruptedException {
    while (ended == null) {
      long now = System.nanoTime();
      long left = nextCheck - now;
      if (!wanted.isEmpty()) {
        left = Math.min(left, nextTry - now);
      }
      if (left <= 0) {
        return true;
      }
      TimeUnit.NANOSECONDS.timedWait(this, Math.max(left, 1_000_000));
    }
    return false;
  }

  private synchronized Map<TopicPartition, Request> due() {
    return new LinkedHashMap<>(wanted);
  }

  private void answer(TopicPartition partition, @Nullable Request request, Result result) {
    synchronized (this) {
      if (request == null || !wanted.remove(partition, request)) {
        return;
      }
    }
    try {
      request.callback.accept(result);
    } catch (RuntimeException faulty) {
      log.error("What was found out about {} wasn't taken", partition, faulty);
    }
  }

  /** Answers as many as it can, and gives the pause in nanoseconds before it may try again. */
  private long tryToAdopt(Map<TopicPartition, Request> due) throws InterruptedException {
    try {
      inquiry.ask(
          due.keySet(),
          partition -> isWanted(partition, due.get(partition)),
          (partition, result) -> answer(partition, due.get(partition), result));
      backoff = FIRST_BACKOFF;
      return 0;
    } catch (InterruptException closing) {
      throw closing;
    } catch (ExecutionException | KafkaException failed) {
      Throwable cause = failed instanceof ExecutionException ? failed.getCause() : failed;
      if (maySayFailed.now()) {
        log.warn(
            "Can't find out what is committed and remembered for {}: {}. Their requests wait in"
                + " Kafka, nothing is lost; it is tried again for as long as they are held.",
            due.keySet(),
            String.valueOf(cause));
      }
      long pause = backoff;
      backoff = Math.min(2 * backoff, MAX_BACKOFF);
      return pause;
    }
  }

  private void warmUp() throws InterruptedException {
    try {
      inquiry.warmUp();
    } catch (InterruptException closing) {
      throw closing;
    } catch (ExecutionException | KafkaException notYet) {
      log.debug("The adopter isn't connected yet, which only takes time later", notYet);
    } finally {
      warm.complete(null);
    }
  }

  private void checkTopic() throws InterruptedException {
    try {
      inquiry.topicId();
    } catch (ExecutionException unknown) {
      log.debug("Can't look whether {} is the same topic", settings.requestTopic(), unknown);
    }
  }

  /** Ends the thread and closes the clients, at most about 5 s. What is asked for fails. */
  @Override
  public void close() {
    synchronized (this) {
      if (ended == null) {
        ended = "the consumer is closed";
      }
      notifyAll();
      if (mayInterrupt) {
        thread.interrupt();
      }
    }
    try {
      thread.join(END_TIMEOUT.toMillis());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
