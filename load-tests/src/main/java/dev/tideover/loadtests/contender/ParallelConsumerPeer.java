package dev.tideover.loadtests.contender;

import io.confluent.parallelconsumer.PCRetriableException;
import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.CommitMode;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import io.confluent.parallelconsumer.PollContext;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The peer: Confluent's Parallel Consumer as its documentation shows it for consuming, handling and
 * producing, ordered by key, with its default way to commit; everything else is its default too. A
 * failure that is meant is thrown as {@link PCRetriableException}, which it does not log as an
 * error.
 */
public final class ParallelConsumerPeer {

  private final Job job;
  private final ParallelStreamProcessor<byte[], byte[]> processor;

  private ParallelConsumerPeer(String bootstrapServers, Job job) {
    this.job = job;
    processor =
        ParallelStreamProcessor.createEosStreamProcessor(
            ParallelConsumerOptions.<byte[], byte[]>builder()
                .consumer(
                    new KafkaConsumer<>(
                        Contender.consumerSettings(bootstrapServers, job.service() + "-peer"),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer()))
                .producer(
                    new KafkaProducer<>(
                        Contender.producerSettings(bootstrapServers),
                        new ByteArraySerializer(),
                        new ByteArraySerializer()))
                .ordering(ProcessingOrder.KEY)
                .maxConcurrency(job.concurrency())
                .commitMode(CommitMode.PERIODIC_CONSUMER_ASYNCHRONOUS)
                .retryDelayProvider(failed -> Duration.ofMillis(job.pauseMillis()))
                .build());
    processor.subscribe(List.of(job.requestTopic()));
    processor.pollAndProduce(this::handle);
  }

  private ProducerRecord<byte[], byte[]> handle(PollContext<byte[], byte[]> context) {
    job.work();
    if (job.fails(context.key(), context.getSingleRecord().getNumberOfFailedAttempts())) {
      throw new PCRetriableException("fails on purpose");
    }
    byte[] id = context.getSingleConsumerRecord().headers().lastHeader(Contender.ID_HEADER).value();
    return new ProducerRecord<>(job.replyTopic(), id, context.value());
  }

  /** The process: takes the bootstrap servers. */
  public static void main(String[] args) throws IOException {
    Contender.run(job -> new ParallelConsumerPeer(args[0], job).processor::closeDontDrainFirst);
  }
}
