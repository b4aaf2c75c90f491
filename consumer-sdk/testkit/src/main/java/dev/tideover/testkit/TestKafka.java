package dev.tideover.testkit;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;

/**
 * One test's access to Kafka: topics of its own and clients for bytes. Every client that it hands
 * out is closed with it, at the end of the test where the {@link KafkaExtension} made it. Every
 * call ends, at the latest after 30 s. For one thread at a time.
 */
public final class TestKafka implements AutoCloseable {

  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

  private final String bootstrapServers;
  private final Deque<AutoCloseable> clients = new ArrayDeque<>();
  private @Nullable Admin admin;
  private @Nullable Producer<byte[], byte[]> producer;

  private TestKafka(String bootstrapServers) {
    this.bootstrapServers = bootstrapServers;
  }

  /** Access to any broker, a {@link BrokerProcess} for example. The caller closes it. */
  public static TestKafka at(String bootstrapServers) {
    return new TestKafka(bootstrapServers);
  }

  /** What a client's {@code bootstrap.servers} needs. */
  public String bootstrapServers() {
    return bootstrapServers;
  }

  /** A name for a topic, group or service that no other test has: the prefix and a random part. */
  public String uniqueName(String prefix) {
    return prefix + "-" + UUID.randomUUID().toString().substring(0, 8);
  }

  /**
   * Creates a topic, with as many replicas as is the broker's default, and returns when each of its
   * partitions has a leader that serves it. A producer that comes earlier has its first batch
   * refused and its second one taken, and so gets stuck (OutOfOrderSequenceException) until its
   * delivery timeout.
   *
   * @return the name
   * @throws KafkaException if it can't, for example because the topic is there already
   */
  public String createTopic(String name, int partitions) {
    return createTopic(name, partitions, Map.of());
  }

  /** The same with topic settings such as {@code cleanup.policy}. */
  public String createTopic(String name, int partitions, Map<String, String> settings) {
    NewTopic topic =
        new NewTopic(name, Optional.of(partitions), Optional.empty()).configs(settings);
    await(admin().createTopics(List.of(topic)).all(), "topic " + name + " to be created");
    long end = System.nanoTime() + TIMEOUT.toNanos();
    while (!hasLeaders(name)) {
      if (System.nanoTime() > end) {
        throw new KafkaException("topic " + name + " has no leader after " + TIMEOUT);
      }
    }
    while (!isServed(name, partitions)) {
      if (System.nanoTime() > end) {
        throw new KafkaException("topic " + name + " is not served after " + TIMEOUT);
      }
    }
    return name;
  }

  /**
   * The controller's word is not the broker's deed. This is answered by the leaders themselves, and
   * asked again by the client until then; but of several brokers, the one that is asked who they
   * are may not know the topic yet.
   */
  private boolean isServed(String topic, int partitions) {
    Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
    for (int partition = 0; partition < partitions; partition++) {
      ends.put(new TopicPartition(topic, partition), OffsetSpec.latest());
    }
    try {
      await(admin().listOffsets(ends).all(), "topic " + topic + " to be served");
      return true;
    } catch (UnknownTopicOrPartitionException notYet) {
      return false;
    }
  }

  /**
   * A round trip to the broker, which for a moment may not know what the controller has decided.
   */
  private boolean hasLeaders(String topic) {
    Future<Map<String, TopicDescription>> topics =
        admin().describeTopics(List.of(topic)).allTopicNames();
    try {
      return await(topics, "topic " + topic + " to be described").values().stream()
          .flatMap(description -> description.partitions().stream())
          .allMatch(partition -> partition.leader() != null);
    } catch (UnknownTopicOrPartitionException notYet) {
      return false;
    }
  }

  /**
   * Sends records by {@link #producer()} and returns when the broker has acknowledged them all.
   *
   * @return where they are, in the same order
   */
  @SafeVarargs
  public final List<RecordMetadata> produce(ProducerRecord<byte[], byte[]>... records) {
    Producer<byte[], byte[]> producer = producer();
    List<Future<RecordMetadata>> sends = new ArrayList<>();
    for (ProducerRecord<byte[], byte[]> record : records) {
      sends.add(producer.send(record));
    }
    producer.flush();
    List<RecordMetadata> places = new ArrayList<>();
    for (Future<RecordMetadata> send : sends) {
      places.add(await(send, "a record to be acknowledged"));
    }
    return places;
  }

  /** The admin client; one for all calls. */
  public Admin admin() {
    if (admin == null) {
      admin = Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers));
      Admin created = admin;
      clients.push(() -> created.close(CLOSE_TIMEOUT));
    }
    return admin;
  }

  /**
   * An idempotent producer that waits for all replicas and lingers for nobody; one for all calls.
   */
  public Producer<byte[], byte[]> producer() {
    if (producer == null) {
      producer =
          new KafkaProducer<>(
              Map.of(
                  ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                  bootstrapServers,
                  ProducerConfig.ACKS_CONFIG,
                  "all",
                  ProducerConfig.LINGER_MS_CONFIG,
                  0,
                  ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG,
                  10_000,
                  ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
                  (int) TIMEOUT.toMillis(),
                  ProducerConfig.MAX_BLOCK_MS_CONFIG,
                  (int) TIMEOUT.toMillis()),
              new ByteArraySerializer(),
              new ByteArraySerializer());
      Producer<byte[], byte[]> created = producer;
      clients.push(() -> created.close(CLOSE_TIMEOUT));
    }
    return producer;
  }

  /** A new consumer in this group that begins at the earliest record and commits only when told. */
  public Consumer<byte[], byte[]> consumer(String group) {
    Consumer<byte[], byte[]> consumer = newConsumer(Map.of(ConsumerConfig.GROUP_ID_CONFIG, group));
    clients.push(() -> close(consumer));
    return consumer;
  }

  private Consumer<byte[], byte[]> newConsumer(Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(more);
    settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers);
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    settings.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, (int) TIMEOUT.toMillis());
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private static void close(Consumer<byte[], byte[]> consumer) {
    consumer.close(CloseOptions.timeout(CLOSE_TIMEOUT));
  }

  /**
   * All records that the topic has at this moment, those of partition 0 first, each partition's in
   * their order.
   *
   * @throws UnknownTopicOrPartitionException if there is no such topic
   */
  public List<ConsumerRecord<byte[], byte[]>> readAll(String topic) {
    List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
    Consumer<byte[], byte[]> consumer = newConsumer(Map.of());
    try {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(info -> new TopicPartition(topic, info.partition()))
              .toList();
      if (partitions.isEmpty()) {
        throw new UnknownTopicOrPartitionException("there is no topic " + topic);
      }
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      long deadline = System.nanoTime() + TIMEOUT.toNanos();
      // By position, since not every offset has a record: transactions and compaction leave gaps.
      while (ends.entrySet().stream()
          .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        if (System.nanoTime() > deadline) {
          throw new KafkaException("topic " + topic + " not read to its end after " + TIMEOUT);
        }
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          TopicPartition partition = new TopicPartition(topic, record.partition());
          if (record.offset() < ends.getOrDefault(partition, 0L)) {
            records.add(record);
          }
        }
      }
    } finally {
      close(consumer);
    }
    records.sort(
        Comparator.<ConsumerRecord<byte[], byte[]>>comparingInt(ConsumerRecord::partition)
            .thenComparingLong(ConsumerRecord::offset));
    return records;
  }

  private static <T> T await(Future<T> future, String what) {
    try {
      return future.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof KafkaException cause) {
        throw cause;
      }
      throw new KafkaException(e.getCause());
    } catch (TimeoutException e) {
      throw new KafkaException("waited " + TIMEOUT + " in vain for " + what, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new KafkaException("interrupted while waiting for " + what, e);
    }
  }

  /**
   * Closes the clients, the latest first.
   *
   * @throws KafkaException if one can't be closed, as when another thread still polls a consumer;
   *     the others are closed all the same
   */
  @Override
  public void close() {
    KafkaException failure = null;
    for (AutoCloseable client : clients) {
      try {
        client.close();
      } catch (Exception e) {
        if (failure == null) {
          failure =
              new KafkaException("A client could not be closed. Does a thread still use it?", e);
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    clients.clear();
    if (failure != null) {
      throw failure;
    }
  }
}
