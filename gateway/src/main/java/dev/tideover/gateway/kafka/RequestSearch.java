package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.RequestId;
import dev.tideover.wire.WireHeaders;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out whether a request whose acknowledgement nobody saw was written, and where, by reading
 * the part of the log where it must be. Owns a consumer and the one thread that uses it. Safe for
 * any thread.
 *
 * <p>An outage leaves thousands of such requests at once, so all questions that wait for a
 * partition and are of about the same time are answered in one pass over it. What was found is
 * remembered, and how far one that wasn't there has been looked for.
 */
public final class RequestSearch implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(RequestSearch.class);

  static final int MAX_QUESTIONS = 10_000;
  static final int MAX_REMEMBERED = 100_000;

  /** Clocks differ, and the record's timestamp may be of another one than the acceptance. */
  private static final long BEFORE_MILLIS = TimeUnit.MINUTES.toMillis(1);

  /**
   * No producer tries for so long: a request that isn't there by then never will be. Where a
   * gateway writes timestamps that are ahead by more than that, one behind them isn't found.
   */
  private static final long AFTER_MILLIS = TimeUnit.MINUTES.toMillis(11);

  /** Questions whose times differ by no more share a pass. */
  private static final long SHARED_MILLIS = TimeUnit.MINUTES.toMillis(10);

  private static final Duration LIMIT = Duration.ofSeconds(5);
  private static final Duration TURN = Duration.ofMillis(200);

  private static final String LATE = "its log could not be read in time";

  private record Question(
      TopicPartition partition,
      RequestId id,
      long acceptedAt,
      long deadline,
      CompletableFuture<OptionalLong> answer) {

    boolean isExpired() {
      return deadline - System.nanoTime() <= 0;
    }

    /** The time that is left for its answer. */
    Duration left() {
      return Duration.ofNanos(Math.max(1, deadline - System.nanoTime()));
    }

    void fail(String problem, @Nullable Throwable cause) {
      answer.completeExceptionally(
          new KafkaUnavailableException(
              "whether the request was written to " + partition + " is not known: " + problem,
              cause));
    }
  }

  private record Key(TopicPartition partition, RequestId id) {}

  private final Consumer<byte[], byte[]> consumer;
  private final Duration limit;
  private final BlockingQueue<Question> questions = new ArrayBlockingQueue<>(MAX_QUESTIONS);
  private final Thread thread = new Thread(this::run, "tideover-request-search");
  private volatile boolean closing;
  private long passes;
  private boolean saidDenied;

  /**
   * Where requests stand, or, as its complement (a negative number), the offset up to which one was
   * looked for in vain. Guarded by itself.
   */
  private final Map<Key, Long> remembered =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, Long> eldest) {
          return size() > MAX_REMEMBERED;
        }
      };

  RequestSearch(Consumer<byte[], byte[]> consumer, Duration limit) {
    this.consumer = consumer;
    this.limit = limit;
  }

  /**
   * Starts the thread; reads nothing yet.
   *
   * @throws KafkaUnavailableException if Kafka's client doesn't take its settings
   */
  public static RequestSearch start(GatewayConfig config) {
    RequestSearch search = create(config, LIMIT);
    search.thread.start();
    return search;
  }

  /** One whose thread isn't started: whoever calls {@link #runOnce} is it. */
  static RequestSearch create(GatewayConfig config, Duration limit) {
    Map<String, Object> settings = KafkaSettings.consumer(config, "search");
    settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 2_000);
    return new RequestSearch(KafkaSettings.client(() -> new KafkaConsumer<>(settings)), limit);
  }

  /**
   * Where the request stands in the partition that its key leads to. Doesn't wait.
   *
   * @param acceptedAt when the gateway took it
   * @return its offset; empty if it was not there when this was asked. Fails with {@link
   *     KafkaUnavailableException} if that can't be found out within 5 s, or 10,000 others wait.
   *     Completed on the thread of the search, which must not be made to wait
   */
  public CompletionStage<OptionalLong> find(
      String topic, int partition, RequestId id, Instant acceptedAt) {
    TopicPartition place = new TopicPartition(topic, partition);
    CompletableFuture<OptionalLong> answer = new CompletableFuture<>();
    Long known = remembered(place, id);
    if (known != null && known >= 0) {
      answer.complete(OptionalLong.of(known));
      return answer;
    }
    long deadline = System.nanoTime() + limit.toNanos();
    Question question = new Question(place, id, acceptedAt.toEpochMilli(), deadline, answer);
    if (closing) {
      question.fail("the gateway is shutting down", null);
    } else if (!questions.offer(question)) {
      question.fail(MAX_QUESTIONS + " other requests are being looked for; ask again later", null);
    } else if (closing) {
      // The thread may have emptied the queue just before.
      failAll();
    }
    return answer;
  }

  private @Nullable Long remembered(TopicPartition partition, RequestId id) {
    synchronized (remembered) {
      return remembered.get(new Key(partition, id));
    }
  }

  private void remember(TopicPartition partition, RequestId id, long value) {
    Key key = new Key(partition, id);
    synchronized (remembered) {
      remembered.remove(key);
      remembered.put(key, value);
    }
  }

  /** How often the log was read, for whatever number of questions; for the thread. */
  long passes() {
    return passes;
  }

  private void run() {
    try {
      while (!closing) {
        runOnce();
      }
    } catch (WakeupException | InterruptException | InterruptedException e) {
      // Only close() does that.
    } finally {
      closing = true;
      failAll();
      consumer.close(KafkaSettings.CONSUMER_CLOSE);
    }
  }

  private void failAll() {
    Question question;
    while ((question = questions.poll()) != null) {
      question.fail("the gateway is shutting down", null);
    }
  }

  /** Answers the question asked first, if there is one, and those that its pass answers too. */
  void runOnce() throws InterruptedException {
    Question first = questions.poll(TURN.toMillis(), TimeUnit.MILLISECONDS);
    if (first == null) {
      return;
    }
    List<Question> together = new ArrayList<>(List.of(first));
    questions.removeIf(
        question -> {
          boolean near =
              question.partition().equals(first.partition())
                  && Math.abs(question.acceptedAt() - first.acceptedAt()) <= SHARED_MILLIS;
          return near && together.add(question);
        });
    try {
      answer(first.partition(), together);
    } catch (WakeupException | InterruptException e) {
      together.forEach(question -> question.fail("the gateway is shutting down", e));
      throw e;
    } catch (TimeoutException e) {
      // Only the time of the one asked first was waited for.
      together.forEach(
          question -> {
            if (question.isExpired() || !questions.offer(question)) {
              question.fail(LATE, e);
            }
          });
    } catch (RuntimeException e) {
      if (e instanceof AuthorizationException && !saidDenied) {
        saidDenied = true;
        LOG.warn(
            "The topic {} may not be read: {}. Whether a request whose acknowledgement was lost is"
                + " there stays unknown. Allow this gateway to read it",
            first.partition().topic(),
            e.getMessage());
      }
      together.forEach(question -> question.fail(String.valueOf(e.getMessage()), e));
    }
  }

  private void answer(TopicPartition partition, List<Question> together) {
    Map<RequestId, List<Question>> left = new HashMap<>();
    long earliest = Long.MAX_VALUE;
    long latest = Long.MIN_VALUE;
    long from = Long.MAX_VALUE;
    Question first = null;
    for (Question question : together) {
      Long known = remembered(partition, question.id());
      if (known != null && known >= 0) {
        question.answer().complete(OptionalLong.of(known));
      } else if (question.isExpired()) {
        question.fail(LATE, null);
      } else {
        left.computeIfAbsent(question.id(), id -> new ArrayList<>()).add(question);
        first = first == null ? question : first;
        earliest = Math.min(earliest, question.acceptedAt());
        latest = Math.max(latest, question.acceptedAt());
        from = Math.min(from, known == null ? 0 : ~known);
      }
    }
    if (first == null) {
      return;
    }
    // The end comes first: what is found to be in front of it was there when it was asked.
    Long end = consumer.endOffsets(List.of(partition), first.left()).get(partition);
    Long begin = offsetFor(partition, earliest - BEFORE_MILLIS, first);
    Long bound = offsetFor(partition, latest + AFTER_MILLIS, first);
    if (end == null) {
      throw new TimeoutException("no broker told where the log ends");
    }
    long to = bound == null ? end : Math.min(bound, end);
    if (begin != null) {
      read(partition, Math.max(begin, from), to, left);
    }
    left.forEach(
        (id, asked) -> {
          remember(partition, id, ~to);
          asked.forEach(question -> question.answer().complete(OptionalLong.empty()));
        });
  }

  /** The first offset whose record isn't older; null if there is none. */
  private @Nullable Long offsetFor(TopicPartition partition, long millis, Question first) {
    OffsetAndTimestamp found =
        consumer
            .offsetsForTimes(Map.of(partition, Math.max(0, millis)), first.left())
            .get(partition);
    return found == null ? null : found.offset();
  }

  /** Reads the records of this span; takes those it finds, and those late, out of what is left. */
  private void read(
      TopicPartition partition, long from, long to, Map<RequestId, List<Question>> left) {
    if (from >= to) {
      return;
    }
    passes++;
    consumer.assign(List.of(partition));
    try {
      consumer.seek(partition, from);
      // By position, since not every offset has a record.
      while (!left.isEmpty() && consumer.position(partition, TURN) < to) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(TURN)) {
          RequestId id = record.offset() < to ? idOf(record) : null;
          List<Question> asked = id == null ? null : left.remove(id);
          if (asked != null && id != null) {
            remember(partition, id, record.offset());
            asked.forEach(question -> question.answer().complete(OptionalLong.of(record.offset())));
          }
        }
        left.values().removeIf(RequestSearch::failLate);
      }
    } finally {
      consumer.assign(List.of());
    }
  }

  /** Fails those whose time is over; whether none is left. */
  private static boolean failLate(List<Question> asked) {
    asked.removeIf(
        question -> {
          boolean late = question.isExpired();
          if (late) {
            question.fail(LATE, null);
          }
          return late;
        });
    return asked.isEmpty();
  }

  private static @Nullable RequestId idOf(ConsumerRecord<byte[], byte[]> record) {
    Header header = record.headers().lastHeader(WireHeaders.ID);
    byte[] text = header == null ? null : header.value();
    return text == null || text.length != RequestId.TEXT_LENGTH
        ? null
        : RequestId.parse(new String(text, ISO_8859_1));
  }

  /** Fails all questions and stops; waits for the thread 5 s at most. */
  @Override
  public void close() {
    closing = true;
    consumer.wakeup();
    if (thread.getState() == Thread.State.NEW) {
      failAll();
      consumer.close(KafkaSettings.CONSUMER_CLOSE);
      return;
    }
    try {
      thread.join(5_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
