package dev.tideover.sdk.internal.core;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * Cores with faults in what they do about requests that have finished before; for {@link SimFault}.
 * They differ from the real one in what they see and do at its edges.
 */
class SimForgetful extends Core<SimDelivery> {

  /** What a core wants done, seen by somebody in between. */
  private static class Between {
    /** Something that the core wants; by default it is done. */
    @Nullable Object call(String method, Object[] arguments, Done done) throws Throwable {
      return done.call();
    }

    interface Done {
      @Nullable Object call() throws Throwable;
    }
  }

  private SimForgetful(
      Policy policy, Limits limits, Effects<SimDelivery> effects, long now, Between between) {
    super(policy, limits, seen(effects, between), now);
  }

  @SuppressWarnings("unchecked") // a proxy of the only interface there is
  private static Effects<SimDelivery> seen(Effects<SimDelivery> effects, Between between) {
    return (Effects<SimDelivery>)
        Proxy.newProxyInstance(
            Effects.class.getClassLoader(),
            new Class<?>[] {Effects.class},
            (proxy, method, arguments) -> {
              try {
                return between.call(
                    method.getName(), arguments, () -> method.invoke(effects, arguments));
              } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
              }
            });
  }

  /** The batches that are to be written, by partition, and the assignment they are of. */
  private static final class Batches extends Between {
    final Map<TopicPartition, List<FinishedBatch>> all = new HashMap<>();

    @Override
    @Nullable Object call(String method, Object[] arguments, Done done) throws Throwable {
      if (method.equals("remember")) {
        all.computeIfAbsent((TopicPartition) arguments[0], ignored -> new ArrayList<>())
            .add((FinishedBatch) arguments[1]);
      }
      return done.call();
    }
  }

  /** Commits once a batch is sent. */
  static Core<SimDelivery> acknowledgedWhenSent(
      Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
    Batches batches = new Batches();
    return new SimForgetful(policy, limits, effects, now, batches) {
      @Override
      public void commit(long time) {
        super.commit(time);
        batches.all.forEach(
            (partition, sent) -> sent.forEach(batch -> super.remembered(partition, batch)));
        batches.all.clear();
        super.commit(time);
      }
    };
  }

  /** Takes a batch that has failed for written. */
  static Core<SimDelivery> lostIsWritten(
      Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
    return new Core<>(policy, limits, effects, now) {
      @Override
      public void notRemembered(
          TopicPartition partition, FinishedBatch batch, boolean refused, String why, long time) {
        remembered(partition, batch);
      }
    };
  }

  /** The acknowledgement of a batch is one for all of its partition, whenever they were sent. */
  static Core<SimDelivery> anyAcknowledgementCounts(
      Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
    Batches batches = new Batches();
    return new SimForgetful(policy, limits, effects, now, batches) {
      @Override
      public void remembered(TopicPartition partition, FinishedBatch batch) {
        batches.all.getOrDefault(partition, List.of()).forEach(b -> super.remembered(partition, b));
      }
    };
  }

  /** Begins to count batches anew when a partition comes back. */
  static Core<SimDelivery> numbersBeginAnew(
      Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
    Map<TopicPartition, Long> numbers = new HashMap<>();
    Map<FinishedBatch, FinishedBatch> real = new HashMap<>();
    Between renumbering =
        new Between() {
          @Override
          @Nullable Object call(String method, Object[] arguments, Done done) throws Throwable {
            if (method.equals("remember")) {
              TopicPartition partition = (TopicPartition) arguments[0];
              FinishedBatch batch = (FinishedBatch) arguments[1];
              long number = numbers.merge(partition, 1L, Long::sum) - 1;
              FinishedBatch other =
                  FinishedBatch.of(batch.writer(), number, batch.finishedAt(), batch.words());
              real.put(other, batch);
              arguments[1] = other;
            }
            return done.call();
          }
        };
    return new SimForgetful(policy, limits, effects, now, renumbering) {
      @Override
      public void adopted(TopicPartition partition, long number, Adoption found) {
        numbers.remove(partition);
        super.adopted(partition, number, found);
      }

      @Override
      public void remembered(TopicPartition partition, FinishedBatch batch) {
        super.remembered(partition, real.get(batch));
      }

      @Override
      public void notRemembered(
          TopicPartition partition, FinishedBatch batch, boolean refused, String why, long time) {
        super.notRemembered(partition, real.get(batch), refused, why, time);
      }
    };
  }

  /** Takes every request with a known id for the same one. */
  static Core<SimDelivery> fingerprintNotCompared(
      Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
    return new SimForgetful(
        policy,
        limits,
        effects,
        now,
        new Between() {
          @Override
          @Nullable Object call(String method, Object[] arguments, Done done) throws Throwable {
            Object result = done.call();
            return result instanceof Identity who
                ? new Identity(who.idHigh(), who.idLow(), 0, who.place())
                : result;
          }
        });
  }

  /** Looks whether a request has finished before when it comes, and not when it starts. */
  static Core<SimDelivery> decidedAtReceipt(
      Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
    Set<SimRequest> finished = new HashSet<>();
    Map<TopicPartition, FinishedIds> adopted = new HashMap<>();
    Set<SimDelivery> unknown = new HashSet<>();
    boolean[] starting = new boolean[1];
    Between blind =
        new Between() {
          @Override
          @Nullable Object call(String method, Object[] arguments, Done done) throws Throwable {
            return method.equals("identityOf") && starting[0] && unknown.contains(arguments[0])
                ? null
                : done.call();
          }
        };
    return new SimForgetful(policy, limits, effects, now, blind) {
      @Override
      public void adopted(TopicPartition partition, long number, Adoption found) {
        adopted.put(partition, found.finished());
        super.adopted(partition, number, found);
      }

      @Override
      public void received(
          TopicPartition partition,
          long offset,
          @Nullable Object key,
          int bytes,
          SimDelivery payload,
          Work.Step step) {
        Identity who = payload.request.identity();
        if (who != null
            && !finished.contains(payload.request.original)
            && adopted.get(partition).find(who, policy.epochMillis().getAsLong()) == null) {
          unknown.add(payload);
        }
        super.received(partition, offset, key, bytes, payload, step);
      }

      @Override
      public void start(long time) {
        starting[0] = true;
        super.start(time);
        starting[0] = false;
      }

      @Override
      public void ended(Work<SimDelivery> work, long replyOffset, long time) {
        finished.add(work.payload().request.original);
        super.ended(work, replyOffset, time);
      }
    };
  }

  /** Doesn't read back what has finished when it takes over a partition. */
  static Core<SimDelivery> notReadBack(
      Policy policy, Limits limits, Effects<SimDelivery> effects, long now, long window) {
    return new Core<>(policy, limits, effects, now) {
      @Override
      public void adopted(TopicPartition partition, long number, Adoption found) {
        super.adopted(
            partition,
            number,
            new Adoption(
                found.topicId(),
                found.committed(),
                found.note(),
                found.begin(),
                found.end(),
                found.ledger(),
                found.alive(),
                window));
      }
    };
  }
}
