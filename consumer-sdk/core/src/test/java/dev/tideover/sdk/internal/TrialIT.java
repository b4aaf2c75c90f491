package dev.tideover.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.Inbox;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.RequestHandler;
import dev.tideover.sdk.internal.core.Adoption;
import dev.tideover.sdk.internal.core.CommitSnapshot;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.sdk.internal.core.Effects;
import dev.tideover.sdk.internal.core.Limits;
import dev.tideover.sdk.internal.core.Policy;
import dev.tideover.sdk.internal.core.Work;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.InstanceReport.Counts;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What leaves an instance that is tried out, and what it says of itself. */
@KafkaTest
class TrialIT {

  private static final long ACCEPTED_AT = 1_763_980_000_123L;

  private final Mailbox mailbox = new Mailbox(() -> {});
  private final List<CommitSnapshot> commits = new ArrayList<>();
  private final StoringInbox inbox = new StoringInbox();

  private TestKafka kafka;
  private String service;
  private String replies;
  private TopicPartition requests;
  private Handling handling;
  private Core<Delivery> core;
  private ReplySender sender;
  private int received;

  @BeforeEach
  void createTopics(TestKafka kafka) {
    this.kafka = kafka;
    service = kafka.uniqueName("orders");
    replies = kafka.createTopic(service + ".replies", 1);
    kafka.createTopic(service + ".dead", 1);
    requests = new TopicPartition(service + ".requests", 0);
  }

  @AfterEach
  void close() {
    sender.close();
  }

  @Test
  void aReplyThatTellsOfAnErrorIsSentOnceTheTrialIsOverAndOthersAtOnce() throws Exception {
    start(request -> Outcome.reply(status(request)), null);
    trial(true);
    receive("500");
    receive("499");
    hearUntil(() -> kafka.readAll(replies).size() == 1 && parked() == 1);

    assertThat(statuses()).containsExactly(499);
    assertThat(counts()).isEqualTo(new Counts(2, 1, 0, 1, 0, 0));
    trial(false);
    hearUntil(() -> kafka.readAll(replies).size() == 2);
    assertThat(statuses()).containsExactly(499, 500);
    assertThat(counts()).isEqualTo(new Counts(2, 1, 0, 0, 0, 0));
  }

  @Test
  void aDeadLetterIsNoneUntilTheTrialIsOver() throws Exception {
    start(request -> Outcome.deadLetter("it is so"), null);
    trial(true);
    receive("any");
    hearUntil(() -> parked() == 1);

    assertThat(kafka.readAll(service + ".dead")).isEmpty();
    assertThat(counts()).isEqualTo(new Counts(1, 1, 0, 1, 0, 0));
    trial(false);
    hearUntil(() -> kafka.readAll(replies).size() == 1);
    ReplyEnvelope reply = ReplyCodec.decode(kafka.readAll(replies).get(0));
    assertThat(reply.outcome()).isEqualTo(ReplyOutcome.DEAD);
    assertThat(reply.attempts()).isEqualTo(1);
    assertThat(kafka.readAll(service + ".dead")).hasSize(1);
    assertThat(counts()).isEqualTo(new Counts(2, 2, 1, 0, 0, 0));
  }

  /** It would be the reply for good, also of the version that is gone back to. */
  @Test
  void theInboxDoesNotKeepAReplyThatTellsOfAnErrorAndChargesNoAttempt() throws Exception {
    start(request -> Outcome.reply(status(request)), inbox);
    trial(true);
    receive("503");
    hearUntil(() -> parked() == 1);

    assertThat(inbox.asked).containsExactly("start", "failed free");
    assertThat(kafka.readAll(replies)).isEmpty();
    trial(false);
    hearUntil(() -> kafka.readAll(replies).size() == 1);
    assertThat(inbox.asked).containsExactly("start", "failed free", "start", "complete");
    assertThat(statuses()).containsExactly(503);
  }

  /** With one attempt it would become a dead letter in the place of its reply. */
  @Test
  void anErrorThatIsReportedWhenTheTrialIsOverCostsNoAttemptEither() throws Exception {
    start(request -> Outcome.reply(status(request)), inbox);
    trial(true);
    receive("503");
    core.start(System.nanoTime()); // runs the handler, and leaves its end in the mailbox
    trial(false);
    hearUntil(() -> kafka.readAll(replies).size() == 1);
    assertThat(statuses()).containsExactly(503);
    assertThat(kafka.readAll(service + ".dead")).isEmpty();
  }

  @Test
  void repliesTellWhenTheirRequestWasAcceptedAndHowLongItsHandlerRan() throws Exception {
    start(request -> Outcome.reply(204), null);
    receive("handled");
    receive("expired", Instant.EPOCH);
    hearUntil(() -> kafka.readAll(replies).size() == 2);

    for (ConsumerRecord<byte[], byte[]> record : kafka.readAll(replies)) {
      ReplyEnvelope reply = ReplyCodec.decode(record);
      assertThat(reply.timing().acceptedAt()).isEqualTo(ACCEPTED_AT);
      if (reply.outcome() == ReplyOutcome.COMPLETED) {
        assertThat(reply.timing().took()).isBetween(0L, 30_000_000L);
      } else {
        assertThat(reply.timing().took()).isEqualTo(ReplyEnvelope.NONE);
      }
    }
  }

  private static int status(Request request) {
    return Integer.parseInt(request.path().substring(1));
  }

  private List<Integer> statuses() throws Exception {
    List<Integer> statuses = new ArrayList<>();
    for (ConsumerRecord<byte[], byte[]> record : kafka.readAll(replies)) {
      statuses.add(ReplyCodec.decode(record).status());
    }
    return statuses;
  }

  // ---- The owner's part.

  private void start(RequestHandler handler, Inbox inbox) {
    Settings settings =
        TestSettings.handling(kafka.bootstrapServers(), service, handler, inbox, Runnable::run);
    sender = new ReplySender(ClientProperties.producer(settings));
    handling =
        new Handling(
            settings,
            new InboxGuard(inbox, UUID.randomUUID()),
            mailbox,
            new Workers(settings),
            sender,
            new Meters(null, service, "v1"),
            new Events(null, "events", Duration.ZERO),
            InstantSource.system(),
            System::nanoTime,
            fatal -> {
              throw new AssertionError(fatal);
            });
    Policy policy = new Policy("run", 1, failures -> 0, false, 10, 0, 1L << 40, false, 9, () -> 0);
    core = new Core<>(policy, Limits.forHeap(1 << 30), effects(), System.nanoTime());
    core.assigned(List.of(requests), System.nanoTime());
    core.adopted(requests, 1, new Adoption(Uuid.ONE_UUID, -1, null, 0, 9, List.of(), Set.of(), 1));
    core.commit(System.nanoTime());
    core.committed(commits.get(0), true, System.nanoTime());
  }

  private void trial(boolean onTrial) {
    handling.onTrial = onTrial;
    core.trial(onTrial, System.nanoTime());
  }

  private void receive(String path) {
    receive(path, null);
  }

  private void receive(String path, Instant deadline) {
    ConsumerRecord<byte[], byte[]> record =
        new ConsumerRecord<>(requests.topic(), 0, received, null, new byte[0]);
    RequestEnvelope request =
        new RequestEnvelope(
            new RequestId(7, received),
            new ReplyAddress(replies, 0),
            Instant.ofEpochMilli(ACCEPTED_AT),
            deadline,
            false,
            new Fingerprint(1, 2),
            null,
            "GET",
            "/" + path,
            "http",
            "example",
            HttpFields.EMPTY,
            new byte[0]);
    Delivery delivery = new Delivery(record, request);
    core.received(requests, received++, null, 1, delivery, Work.Step.HANDLE);
  }

  private void hearUntil(BooleanSupplier done) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    core.start(System.nanoTime());
    while (!done.getAsBoolean()) {
      assertThat(System.nanoTime() - end).as("out of time").isNegative();
      Mailbox.Message message = mailbox.poll(TimeUnit.MILLISECONDS.toNanos(20));
      if (message != null) {
        message.tell(core, System.nanoTime());
      }
      core.start(System.nanoTime());
    }
  }

  private int parked() {
    return core.activity(System.nanoTime()).parked();
  }

  private Counts counts() {
    return handling.counts(core.activity(System.nanoTime()));
  }

  @SuppressWarnings("unchecked") // a proxy has no type arguments
  private Effects<Delivery> effects() {
    return (Effects<Delivery>)
        Proxy.newProxyInstance(
            Effects.class.getClassLoader(),
            new Class<?>[] {Effects.class},
            (proxy, method, arguments) -> {
              switch (method.getName()) {
                case "begin" -> handling.begin((Work<Delivery>) arguments[0]);
                case "bury" ->
                    ((Delivery) arguments[0]).bury((String) arguments[1], (String) arguments[2]);
                case "idOf" -> {
                  return ((Delivery) arguments[0]).envelope().id().toString();
                }
                case "commit" -> commits.add((CommitSnapshot) arguments[0]);
                default -> {}
              }
              return null;
            });
  }

  /** Writes down what it is asked. */
  private static final class StoringInbox implements Inbox {
    final List<String> asked = new ArrayList<>();

    @Override
    public Standing start(Request request, UUID incarnation, boolean alone) {
      asked.add("start");
      return new Standing.Open(1);
    }

    @Override
    public Standing complete(Request request, Reply reply) {
      asked.add("complete");
      return new Standing.Completed(reply);
    }

    @Override
    public Standing failed(Request request, int start, boolean charge) {
      asked.add(charge ? "failed charged" : "failed free");
      return new Standing.Open(start);
    }

    @Override
    public Standing bury(Request request, int start) {
      asked.add("bury");
      return new Standing.Dead();
    }

    @Override
    public Standing find(Request request) {
      return new Standing.Open(0);
    }
  }
}
