package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * A fault that is built in on purpose, to see that the simulator finds it, and by which promise.
 * Most are bugs that consumers of this kind have had. They exist in tests only: in a core or lanes
 * with a method overridden, or in the model shell, which asks for those without a method here.
 */
enum SimFault {
  NONE,

  /** Commits up to the last that was received. */
  COMMIT_HIGHEST_SEEN(Promise.COMMIT) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return new Seeing(policy, new Lanes<>(limits), effects, now) {
        @Override
        long offset(CommitSnapshot.Entry entry) {
          return seen(entry.partition());
        }
      };
    }
  },

  /** Looks whether anything is open, and later how far it has received. */
  OFFSET_AND_BOOKS_READ_APART(Promise.COMMIT) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      Lanes<SimDelivery> lanes = new Lanes<>(limits);
      return new Seeing(policy, lanes, effects, now) {
        private final Set<TopicPartition> nothingOpen = new HashSet<>();

        @Override
        public void beforePoll() {
          super.beforePoll();
          nothingOpen.clear();
          nothingOpen.addAll(lanes.partitions());
          for (View.Partition<SimDelivery> view : lanes.views()) {
            if (view.oldest() != null) {
              nothingOpen.remove(view.partition());
            }
          }
        }

        @Override
        long offset(CommitSnapshot.Entry entry) {
          TopicPartition partition = entry.partition();
          return nothingOpen.contains(partition) ? seen(partition) : entry.offset();
        }
      };
    }
  },

  /** Commits when partitions are lost, as when they are revoked. In the shell. */
  COMMIT_WHEN_LOST(Promise.COMMIT_BY_OWNER),

  /** What an assignment held when it was revoked counts against the next one's window. */
  COUNTERS_NOT_RESET_ON_REVOKE(Promise.LIVENESS) {
    @Override
    Lanes<SimDelivery> lanes(Limits limits) {
      return new Lanes<>(limits) {
        private final Map<TopicPartition, Assignment<SimDelivery>> last = new HashMap<>();

        @Override
        void assign(Assignment<SimDelivery> assignment) {
          super.assign(assignment);
          Assignment<SimDelivery> before = last.put(assignment.partition, assignment);
          if (before != null) {
            assignment.unfinished = before.unfinished;
          }
        }
      };
    }
  },

  /** A worker that was told to stop doesn't give its permit back. In the shell. */
  STALE_WORK_KEEPS_ITS_PERMIT(Promise.LEFTOVER, Promise.LIVENESS),

  /** A request has ended once its reply is sent. In the shell. */
  ENDED_BEFORE_THE_ACKNOWLEDGEMENT(Promise.COMMIT, Promise.NOTE, Promise.ORDER),

  /** The ranges of a note are one too long. */
  NOTE_OFF_BY_ONE(Promise.NOTE) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return new Seeing(policy, new Lanes<>(limits), effects, now) {
        @Override
        CommitNote note(CommitSnapshot.Entry entry) {
          CommitNote note = entry.note();
          List<CommitNote.OffsetRange> longer = new ArrayList<>();
          note.done().forEach(r -> longer.add(new CommitNote.OffsetRange(r.from(), r.to() + 1)));
          return new CommitNote(note.topicId(), note.clean(), longer);
        }
      };
    }
  },

  /** Starts requests before Kafka knows that somebody has the partition. */
  OPEN_BEFORE_MARKED(Promise.CRASH_NOTICED) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return new Core<>(policy, limits, effects, now) {
        @Override
        public void adopted(TopicPartition partition, long number, Adoption found) {
          super.adopted(partition, number, found);
          committed(snapshot(), true, now);
        }
      };
    }
  },

  /** Doesn't count that an instance has ended while a request ran alone in it. */
  CRASHES_NOT_COUNTED(Promise.POISON) {
    @Override
    @Nullable LedgerEntry adopt(LedgerEntry entry) {
      return entry instanceof LedgerEntry.Attempts a
          ? new LedgerEntry.Attempts(
              a.offset(), a.id(), a.attempts(), 0, LedgerEntry.Start.SHARED, a.by())
          : entry;
    }
  },

  /** Begins to count attempts anew when a partition moves. */
  ATTEMPTS_FORGOTTEN(Promise.ATTEMPTS) {
    @Override
    @Nullable LedgerEntry adopt(LedgerEntry entry) {
      return entry instanceof LedgerEntry.Attempts a
          ? new LedgerEntry.Attempts(a.offset(), a.id(), 0, a.crashes(), a.start(), a.by())
          : entry;
    }
  },

  /** Doesn't know which keys are parked when a partition has moved. */
  PARKED_NOT_REBUILT(Promise.PARKED) {
    @Override
    @Nullable LedgerEntry adopt(LedgerEntry entry) {
      return entry instanceof LedgerEntry.Parked ? null : entry;
    }
  },

  /** Uses the offset and the note of a topic that is no more. */
  NOTE_OF_ANOTHER_TOPIC(Promise.COMMIT, Promise.NOTE, Promise.NOTE_KEPT) {
    @Override
    Uuid topicId(Uuid topicId) {
      return Uuid.ZERO_UUID;
    }
  },

  /** A request that waits for another attempt goes to the end of its lane. */
  RETRY_LOSES_ITS_PLACE(Promise.ORDER) {
    @Override
    Lanes<SimDelivery> lanes(Limits limits) {
      return new Lanes<>(limits) {
        @Override
        public void again(Work<SimDelivery> work, long due, boolean anew) {
          super.again(work, due, anew);
          Lane<SimDelivery> lane = work.lane;
          if (anew && !work.isStale() && lane != null && lane.queue.size() > 1) {
            List<Work<SimDelivery>> others = new ArrayList<>(lane.queue);
            others.remove(work);
            lane.queue.clear();
            others.forEach(this::line);
            lane.queue.add(work);
          }
        }
      };
    }
  },

  /** A suspect has nothing about it that the others don't have. */
  SUSPECTS_RUN_WITH_OTHERS(Promise.ALONE) {
    @Override
    Lanes<SimDelivery> lanes(Limits limits) {
      return new Lanes<>(limits) {
        @Override
        boolean hasAlone() {
          return false;
        }

        @Override
        public boolean hasNext() {
          return super.hasNext() || super.hasAlone();
        }

        @Override
        public Work<SimDelivery> next() {
          return super.hasAlone() ? nextAlone() : super.next();
        }
      };
    }
  },

  /** Forgets that a request is cancelled when its client is told, and not when it is committed. */
  CANCELLATION_FORGOTTEN_BEFORE_THE_COMMIT(Promise.CANCELLED) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return new Core<>(policy, limits, effects, now) {
        @Override
        public void ended(Work<SimDelivery> work, long replyOffset, long now) {
          super.ended(work, replyOffset, now);
          if (work.cancelled && !work.isStale()) {
            for (boolean decided : new boolean[] {false, true}) {
              effects.forget(work.partition(), LedgerEntry.Cancelled.key(work.offset(), decided));
            }
          }
        }
      };
    }
  },

  /** Tells the client that it is cancelled without writing that down first. */
  CANCELLATION_NOT_RECORDED(Promise.CANCELLED) {
    @Override
    @Nullable LedgerEntry adopt(LedgerEntry entry) {
      return entry instanceof LedgerEntry.Cancelled c && c.decided() ? null : entry;
    }
  },

  /** Doesn't look for cancellations when it takes over a partition. */
  CANCELLATIONS_NOT_REBUILT(Promise.CANCELLED) {
    @Override
    @Nullable LedgerEntry adopt(LedgerEntry entry) {
      return entry instanceof LedgerEntry.Cancelled ? null : entry;
    }
  },

  /** A commit that has failed is taken for done. */
  FAILED_COMMIT_TAKEN_FOR_DONE(Promise.CRASH_NOTICED, Promise.LIVENESS) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return new Core<>(policy, limits, effects, now) {
        @Override
        public void committed(CommitSnapshot snapshot, boolean done, long now) {
          super.committed(snapshot, true, now);
        }
      };
    }
  },
  /** Commits before a batch is acknowledged. */
  BATCH_NOT_WAITED_FOR(Promise.REMEMBERED, Promise.ONCE) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return SimForgetful.acknowledgedWhenSent(policy, limits, effects, now);
    }
  },

  /** Takes a batch that has failed for written. */
  LOST_BATCH_TAKEN_FOR_WRITTEN(Promise.REMEMBERED, Promise.ONCE) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return SimForgetful.lostIsWritten(policy, limits, effects, now);
    }
  },

  /** An acknowledgement counts for all batches of its partition, also of an earlier assignment. */
  ANOTHER_BATCH_COUNTS(Promise.REMEMBERED, Promise.ONCE) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return SimForgetful.anyAcknowledgementCounts(policy, limits, effects, now);
    }
  },

  /** Counts batches anew when a partition comes back. */
  BATCH_NUMBERS_BEGIN_ANEW(Promise.BATCH_KEPT, Promise.ONCE) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return SimForgetful.numbersBeginAnew(policy, limits, effects, now);
    }
  },

  /** Takes another request with a known id for the same one. */
  FINGERPRINT_NOT_COMPARED(Promise.ANSWERED) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return SimForgetful.fingerprintNotCompared(policy, limits, effects, now);
    }
  },

  /** Looks whether it has finished before when it comes, and not when it starts. */
  DECIDED_AT_RECEIPT(Promise.ONCE) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return SimForgetful.decidedAtReceipt(policy, limits, effects, now);
    }
  },

  HOLD_IGNORED(SimUnsteady.HOLD_IGNORED, Promise.HELD),
  NOT_HELD_AT_THE_DOOR(SimUnsteady.NOT_AT_THE_DOOR, Promise.HELD),
  CLOSED_AND_HELD(SimUnsteady.CLOSED_AND_HELD, Promise.STILL),
  STILL_BEFORE_THE_COMMIT(SimUnsteady.STILL_BEFORE_THE_COMMIT, Promise.STILL),
  NEVER_STILL(SimUnsteady.NEVER_STILL, Promise.STILL),
  RATE_IGNORED(SimUnsteady.RATE_IGNORED, Promise.RATE),
  ATTEMPT_USED_ON_TRIAL(SimUnsteady.ATTEMPT_USED, Promise.TRIAL),
  WITHHELD_IS_SENT(SimUnsteady.WITHHELD_IS_SENT, Promise.TRIAL),
  WITHHELD_IS_THE_END(SimUnsteady.WITHHELD_IS_THE_END, Promise.COMMIT, Promise.NOTE, Promise.ORDER),
  NEVER_RELEASED(SimUnsteady.NEVER_RELEASED, Promise.LIVENESS),

  /** Doesn't read back what has finished when it takes over a partition. */
  FINISHED_NOT_READ_BACK(Promise.ONCE) {
    @Override
    Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
      return SimForgetful.notReadBack(policy, limits, effects, now, 1_000);
    }
  };

  /** By which it may be found. */
  final List<Promise> promises;

  private final SimUnsteady.@Nullable Maker maker;

  SimFault(Promise... promises) {
    this(null, promises);
  }

  SimFault(SimUnsteady.@Nullable Maker maker, Promise... promises) {
    this.maker = maker;
    this.promises = List.of(promises);
  }

  /** A core with the fault in it. */
  Core<SimDelivery> core(Policy policy, Limits limits, Effects<SimDelivery> effects, long now) {
    if (maker != null) {
      return maker.make(policy, lanes(limits), effects, now);
    }
    if (this == NONE) {
      return new Core<>(policy, limits, effects, now);
    }
    return new Core<>(policy, lanes(limits), effects, now) {
      @Override
      public void adopted(TopicPartition partition, long number, Adoption found) {
        super.adopted(partition, number, adopt(found));
      }
    };
  }

  Lanes<SimDelivery> lanes(Limits limits) {
    return new Lanes<>(limits);
  }

  @Nullable LedgerEntry adopt(LedgerEntry entry) {
    return entry;
  }

  Uuid topicId(Uuid topicId) {
    return topicId;
  }

  private Adoption adopt(Adoption found) {
    List<LedgerEntry> ledger = new ArrayList<>();
    for (LedgerEntry entry : found.ledger()) {
      LedgerEntry adopted = adopt(entry);
      if (adopted != null) {
        ledger.add(adopted);
      }
    }
    return new Adoption(
        topicId(found.topicId()),
        found.committed(),
        found.note(),
        found.begin(),
        found.end(),
        ledger,
        found.alive(),
        found.finished(),
        found.batches());
  }

  /** Commits something else than what it should. */
  private static class Seeing extends Core<SimDelivery> {
    private final Map<TopicPartition, Long> seen = new HashMap<>();

    Seeing(Policy policy, Lanes<SimDelivery> lanes, Effects<SimDelivery> effects, long now) {
      super(policy, lanes, effects, now);
    }

    @Override
    public void adopted(TopicPartition partition, long number, Adoption found) {
      seen.put(partition, Math.max(found.begin(), found.committed()));
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
      seen.put(partition, offset + 1);
      super.received(partition, offset, key, bytes, payload, step);
    }

    long seen(TopicPartition partition) {
      return seen.get(partition);
    }

    long offset(CommitSnapshot.Entry entry) {
      return entry.offset();
    }

    CommitNote note(CommitSnapshot.Entry entry) {
      return entry.note();
    }

    @Override
    public CommitSnapshot snapshot() {
      CommitSnapshot faulty = new CommitSnapshot();
      for (CommitSnapshot.Entry entry : super.snapshot().entries()) {
        faulty.add(
            new CommitSnapshot.Entry(entry.assignment(), offset(entry), note(entry), entry.ends()));
      }
      return faulty;
    }
  }
}
