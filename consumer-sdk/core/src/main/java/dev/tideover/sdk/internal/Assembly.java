package dev.tideover.sdk.internal;

import dev.tideover.sdk.OnExhausted;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.sdk.internal.core.FinishedIds;
import dev.tideover.sdk.internal.core.Limits;
import dev.tideover.sdk.internal.core.Policy;
import java.time.InstantSource;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;

/** The parts of a consumer, put together. */
final class Assembly {

  final Handling handling;
  final Core<Delivery> core;
  final Steering steering;
  final PollLoop loop;

  /**
   * Puts them together; nothing begins yet.
   *
   * @param incarnation a random UUID for this run of this instance
   * @param ledger whether there is a ledger topic to use
   * @param nanoTime the monotonic clock
   * @param guide what it goes by, and whom it tells how it gets on
   */
  Assembly(
      Settings settings,
      String incarnation,
      GroupMember member,
      Workers workers,
      ReplySender sender,
      LedgerWriter ledgerWriter,
      Mailbox mailbox,
      Doing.Adopting adopting,
      boolean ledger,
      Meters meters,
      Events events,
      InstantSource clock,
      LongSupplier nanoTime,
      Guide guide) {
    long now = nanoTime.getAsLong();
    handling =
        new Handling(
            settings,
            new InboxGuard(settings.inbox(), UUID.fromString(incarnation)),
            mailbox,
            workers,
            sender,
            meters,
            events,
            clock,
            nanoTime,
            guide::fail);
    Doing effects =
        new Doing(
            settings,
            member,
            handling,
            ledgerWriter,
            workers,
            adopting,
            meters,
            events,
            nanoTime,
            guide::partitionsChanged,
            guide::fail);
    core =
        new Core<>(
            policy(settings, incarnation, workers, ledger, clock),
            Limits.forHeap(Runtime.getRuntime().maxMemory()),
            effects,
            now);
    effects.reportTo(core);
    steering = new Steering(settings, member, core, handling, events, guide);
    loop =
        new PollLoop(
            settings,
            member,
            core,
            mailbox,
            events,
            new Reporter(meters, events, clock, now),
            steering,
            nanoTime,
            guide);
  }

  private static Policy policy(
      Settings settings, String incarnation, Workers workers, boolean ledger, InstantSource clock) {
    return new Policy(
        incarnation,
        settings.attempts(),
        failures ->
            settings.backoff().after(failures, ThreadLocalRandom.current().nextDouble()).toNanos(),
        settings.onExhausted() == OnExhausted.PARK_KEY,
        settings.concurrency(),
        workers.surplus(),
        settings.handlerTimeout().toNanos(),
        ledger,
        FinishedIds.most(Runtime.getRuntime().maxMemory()),
        clock::millis);
  }
}
