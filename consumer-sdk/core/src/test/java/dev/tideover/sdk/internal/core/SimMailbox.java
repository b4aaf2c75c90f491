package dev.tideover.sdk.internal.core;

import java.util.ArrayDeque;
import java.util.function.BooleanSupplier;
import org.apache.kafka.common.TopicPartition;

/**
 * The model of {@code Mailbox}: what the workers and the gateways tell one instance, until its
 * owner thread hears it.
 */
final class SimMailbox {

  /** What is told, and what the owner does then. */
  private record Message(String what, Runnable deed) {}

  private record Notice(SimRequest request, LedgerEntry.Cancelled wish) {}

  private final Simulation sim;
  private final SimInstance instance;
  private final ArrayDeque<Message> messages = new ArrayDeque<>();
  private final ArrayDeque<Notice> notices = new ArrayDeque<>();

  SimMailbox(Simulation sim, SimInstance instance) {
    this.sim = sim;
    this.instance = instance;
  }

  /** Whether nothing is there that a worker has told. */
  boolean isEmpty() {
    return messages.isEmpty();
  }

  boolean isIdle() {
    return messages.isEmpty() && notices.isEmpty();
  }

  // ---- Told by workers.

  void ended(Work<SimDelivery> work, long replyOffset) {
    put(
        work,
        "ENDED",
        () -> {
          isBack(work);
          SimRequest request = work.payload().request;
          request.endedBy = instance;
          request.endedIn = work.assignment;
          instance.core.ended(work, replyOffset, sim.now);
        });
  }

  void failed(Work<SimDelivery> work, Fault fault, long pause) {
    put(
        work,
        "FAILED",
        () -> {
          isBack(work);
          instance.steering.fails(
              work,
              fault,
              () -> instance.core.failed(work, fault, pause, "as its kind is", sim.now));
        });
  }

  void withheld(Work<SimDelivery> work) {
    put(
        work,
        "WITHHELD",
        () -> {
          isBack(work);
          instance.core.withheld(work, sim.now);
        });
  }

  /** It has come to its end in good order. */
  private void isBack(Work<SimDelivery> work) {
    SimRequest request = work.payload().request;
    request.aloneIsBack |= request.alone == instance && request.aloneWork == work;
  }

  void recorded(Work<SimDelivery> work) {
    put(
        work,
        "RECORDED",
        () -> {
          instance.knowledge.recorded(work);
          instance.core.recorded(work, sim.now);
        });
  }

  void again(Work<SimDelivery> work, long pause) {
    put(work, "AGAIN", () -> instance.core.again(work, pause, sim.now));
  }

  void givenBack(Work<SimDelivery> work) {
    put(work, "GIVEN_BACK", () -> instance.core.givenBack(work, sim.now));
  }

  void remembered(int p, FinishedBatch batch) {
    TopicPartition partition = SimBroker.partition(p);
    put("has written " + batch, () -> instance.core.remembered(partition, batch));
  }

  void notRemembered(int p, FinishedBatch batch, boolean refused) {
    TopicPartition partition = SimBroker.partition(p);
    put(
        "hasn't written " + batch,
        () -> instance.core.notRemembered(partition, batch, refused, "it is so", sim.now));
  }

  private void put(Work<SimDelivery> work, String what, Runnable deed) {
    put(sim.trace() ? "hears " + what + " " + work + " " + work.step() : "", deed);
  }

  private void put(String what, Runnable deed) {
    messages.add(new Message(what, deed));
  }

  // ---- Told by gateways.

  /** A gateway tells all instances; when this one hears it, the schedule says. */
  void notice(SimRequest request, LedgerEntry.Cancelled wish) {
    notices.add(new Notice(request, wish));
  }

  // ---- Heard by the owner.

  /** Hears some of what workers have told, and does something after each. */
  void hear(int most, Runnable then) {
    for (int i = 0; i < most && !messages.isEmpty(); i++) {
      Message message = messages.remove();
      if (sim.trace()) {
        sim.say(instance + " " + message.what);
      }
      message.deed.run();
      then.run();
    }
  }

  /** Hears what gateways have told, for as long as it may. */
  void hearNotices(BooleanSupplier may, int subscribed) {
    while (!notices.isEmpty() && may.getAsBoolean()) {
      Notice notice = notices.remove();
      int p = notice.request.partition;
      if (sim.trace()) {
        sim.say(instance + " hears of " + notice.wish + " for " + notice.request);
      }
      if ((subscribed >> p & 1) != 0) {
        instance.knowledge.heard(notice.request, notice.wish);
      }
      instance.core.cancel(SimBroker.partition(p), notice.wish.offset(), notice.wish.id());
    }
  }
}
