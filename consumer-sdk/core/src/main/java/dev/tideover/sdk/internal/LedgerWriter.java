package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.FinishedBatch;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Appends to the ledger what no worker waits for: notes, and batches of finished ids. On a thread
 * of its own, since a send can block and workers can all be in handlers for long, while commits
 * wait for the batches.
 *
 * <p>The owner thread calls it.
 */
final class LedgerWriter implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(LedgerWriter.class);

  /** What may wait for the thread; what comes beyond isn't written, or tried again later. */
  private static final int MOST_WAITING = 10_000;

  private static final Duration END_TIMEOUT = Duration.ofSeconds(2);

  private final String topic;
  private final ReplySender sender;
  private final Mailbox mailbox;
  private final Executor executor;
  private final @Nullable ThreadPoolExecutor own;

  private LedgerWriter(
      Settings settings,
      ReplySender sender,
      Mailbox mailbox,
      Executor executor,
      @Nullable ThreadPoolExecutor own) {
    this.topic = ServiceTopics.ledger(settings);
    this.sender = sender;
    this.mailbox = mailbox;
    this.executor = executor;
    this.own = own;
  }

  /** One with a thread of its own, which {@link #close} ends. */
  static LedgerWriter start(Settings settings, ReplySender sender, Mailbox mailbox) {
    ThreadPoolExecutor own =
        new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(MOST_WAITING),
            task -> {
              Thread thread = new Thread(task, "tideover-" + settings.service() + "-ledger");
              thread.setDaemon(true);
              return thread;
            });
    return new LedgerWriter(settings, sender, mailbox, own, own);
  }

  /** One on somebody else's threads. */
  static LedgerWriter on(
      Executor executor, Settings settings, ReplySender sender, Mailbox mailbox) {
    return new LedgerWriter(settings, sender, mailbox, executor, null);
  }

  /** Appends an entry, or takes one out, with nobody waiting for it. */
  void note(ProducerRecord<byte[], byte[]> record) {
    try {
      executor.execute(() -> send(record));
    } catch (RejectedExecutionException full) {
      log.debug("No note in partition {} of the ledger", record.partition(), full);
    }
  }

  /** Appends a batch, and reports to the mailbox what became of it. */
  void write(TopicPartition partition, FinishedBatch batch) {
    try {
      executor.execute(() -> send(partition, batch));
    } catch (RejectedExecutionException full) {
      mailbox.notRemembered(partition, batch, false, "too much waits to be written");
    }
  }

  private void send(ProducerRecord<byte[], byte[]> note) {
    try {
      if (!sender.hasPartition(topic, note.partition())) {
        log.debug("No note in partition {} of the ledger, which there isn't", note.partition());
        return;
      }
    } catch (RuntimeException unknown) {
      log.debug("No note in partition {} of the ledger", note.partition(), unknown);
      return;
    }
    sender.send(
        note,
        (offset, failure) -> {
          if (failure != null) {
            log.debug("No note in partition {} of the ledger", note.partition(), failure);
          }
        });
  }

  /**
   * To send to a partition that isn't there would keep this thread for {@code max.block.ms}, again
   * and again, and the commits of all others would wait for that. The request topic may have been
   * given partitions while this instance runs; the ledger gets them when one starts.
   */
  private void send(TopicPartition partition, FinishedBatch batch) {
    try {
      if (!sender.hasPartition(topic, partition.partition())) {
        mailbox.notRemembered(
            partition,
            batch,
            true,
            "the topic has no such partition; it is added when an instance of the service starts");
        return;
      }
    } catch (RuntimeException unknown) {
      mailbox.notRemembered(partition, batch, false, unknown.toString());
      return;
    }
    boolean sent =
        sender.trySend(
            FinishedCodec.encode(batch, topic, partition.partition()),
            partition.partition(),
            (offset, failure) -> {
              if (failure == null) {
                mailbox.remembered(partition, batch);
              } else {
                mailbox.notRemembered(partition, batch, isFinal(failure), failure.toString());
              }
            });
    if (!sent) {
      mailbox.notRemembered(partition, batch, false, "the first record is on its way");
    }
  }

  /** Whether it wouldn't help to try again soon. */
  private static boolean isFinal(Exception failure) {
    return failure instanceof AuthorizationException
        || failure instanceof InvalidTopicException
        || failure instanceof RecordTooLargeException;
  }

  /** Writes what waits, for some seconds at most. */
  @Override
  public void close() {
    if (own == null) {
      return;
    }
    own.shutdown();
    try {
      if (!own.awaitTermination(END_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
        own.shutdownNow();
      }
    } catch (InterruptedException interrupted) {
      own.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
