package dev.tideover.sdk.internal;

import dev.tideover.sdk.Inbox;
import dev.tideover.sdk.Inbox.Standing;
import dev.tideover.sdk.InboxException;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import dev.tideover.sdk.RequestHandler;
import dev.tideover.sdk.internal.core.Fault;
import dev.tideover.wire.WireHeaders;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * When the user's inbox is asked, and what its answers mean for the request at hand. Without an
 * inbox it asks nobody, and the handler is all there is. Immutable; on workers.
 */
final class InboxGuard {

  private static final Logger log = LoggerFactory.getLogger(InboxGuard.class);

  /**
   * The deaths that say that no start of it has succeeded. The others come before any start: of
   * those the inbox knows nothing, and needn't.
   */
  private static final Set<String> OF_STARTED = Set.of("failed", "rejected", "crash-loop");

  /**
   * How often a later start than our own is waited for before it is taken for that of an instance
   * which has lost the partition to this one, and is gone. If it was the other way round this one
   * has learnt of it by then, and doesn't ask any more.
   */
  private static final int MOST_WAITS = 10;

  private final @Nullable Inbox inbox;
  private final UUID incarnation;
  private final Occasionally maySayTrouble = new Occasionally(Duration.ofSeconds(10));

  /**
   * A guard.
   *
   * @param inbox the user's, or null
   * @param incarnation of this instance
   */
  InboxGuard(@Nullable Inbox inbox, UUID incarnation) {
    this.inbox = inbox;
    this.incarnation = incarnation;
  }

  /** Thrown in the place of an outcome: the request has ended otherwise than by its handler. */
  static final class Settled extends Exception {

    private static final long serialVersionUID = 1;

    private final transient Standing standing;

    private Settled(Standing standing) {
      super(standing.toString(), null, false, false);
      this.standing = standing;
    }

    Standing standing() {
      return standing;
    }
  }

  /**
   * Calls the handler, if the inbox lets it, and has its reply stored.
   *
   * @param alone whether nothing else runs in this instance meanwhile
   * @return the handler's outcome, or the reply that it gave another time
   * @throws Settled if it neither is handled nor was
   * @throws InboxException if the inbox can't be used now
   */
  Outcome handle(Delivery delivery, IncomingRequest request, boolean alone, RequestHandler handler)
      throws Exception {
    if (inbox == null) {
      return handler.handle(request);
    }
    Standing before = asking(() -> inbox.start(request, incarnation, alone));
    if (!(before instanceof Standing.Open open)) {
      return outcomeOf(before);
    }
    delivery.inboxStart = open.starts();
    Outcome outcome = handler.handle(request);
    return outcome instanceof Reply reply
        ? outcomeOf(asking(() -> inbox.complete(request, reply)))
        : outcome;
  }

  private static Outcome outcomeOf(Standing standing) throws Settled {
    if (standing instanceof Standing.Completed completed) {
      return completed.reply();
    }
    if (standing instanceof Standing.Dead) {
      return Outcome.deadLetter(
          "it has failed for good before, as the inbox knows; to have it handled anew, append its"
              + " record with the header "
              + WireHeaders.REPLAY
              + " and a higher number than before, from 1");
    }
    if (standing instanceof Standing.Open) {
      throw new InboxException(
          "the inbox has no open row for a request that has been handled: somebody has deleted it."
              + " The request is handled again",
          null);
    }
    throw new Settled(standing);
  }

  /**
   * A start has ended without a reply. Of a fault of the infrastructure nothing is said: most
   * likely it is the database. The next start puts the books right.
   *
   * @param fault whose fault that was; null if it is unknown, since the request was given up
   * @return the reply to send all the same, since a start of it has succeeded; or null
   */
  @Nullable Reply failed(
      Delivery delivery,
      IncomingRequest request,
      @Nullable Fault fault,
      @Nullable Throwable failure) {
    if (inbox == null
        || delivery.inboxStart == 0
        || fault == Fault.INFRASTRUCTURE
        || isTrouble(failure)) {
      return null;
    }
    boolean charge = fault == Fault.MESSAGE || fault == Fault.REJECTED;
    try {
      Standing standing = inbox.failed(request, delivery.inboxStart, charge);
      return standing instanceof Standing.Completed completed ? completed.reply() : null;
    } catch (RuntimeException trouble) {
      // A start that isn't ended in the books is one that looks like a crash: harmless, once.
      log.debug("The inbox doesn't know that a start of {} has failed", request.id(), trouble);
      return null;
    }
  }

  /**
   * It is about to become a dead letter.
   *
   * @return null if it may; else how it stands, {@code Open} for: ask again after a while
   * @throws InboxException if that can't be known now
   */
  @Nullable Standing bury(Delivery delivery, IncomingRequest request, String reason) {
    if (inbox == null || !OF_STARTED.contains(reason)) {
      return null;
    }
    int start = delivery.inboxWaits < MOST_WAITS ? delivery.inboxStart : 0;
    Standing standing = asking(() -> inbox.bury(request, start));
    if (standing instanceof Standing.Open) {
      delivery.inboxWaits++;
    }
    return standing instanceof Standing.Dead ? null : standing;
  }

  /**
   * It ends without its handler being called.
   *
   * @return the reply it was given another time, or null
   * @throws InboxException if that can't be known now
   */
  @Nullable Reply known(IncomingRequest request) {
    return inbox != null
            && asking(() -> inbox.find(request)) instanceof Standing.Completed completed
        ? completed.reply()
        : null;
  }

  /** After a request: gives the inbox the time to tidy up. */
  void tidy() {
    if (inbox == null) {
      return;
    }
    try {
      inbox.tidy();
    } catch (RuntimeException trouble) {
      if (maySayTrouble.now()) {
        log.warn("The inbox couldn't tidy up; it is asked to again", trouble);
      }
    }
  }

  /** Whether a failure is the inbox's own, wherever in the handler it came up. */
  static boolean isTrouble(@Nullable Throwable failure) {
    Throwable cause = failure;
    for (int depth = 0; cause != null && depth < 20; depth++) {
      if (cause instanceof InboxException) {
        return true;
      }
      cause = cause.getCause();
    }
    return false;
  }

  private interface Question {
    Standing ask();
  }

  private static Standing asking(Question question) {
    try {
      return question.ask();
    } catch (InboxException trouble) {
      throw trouble;
    } catch (RuntimeException defect) {
      throw new InboxException("the inbox couldn't answer: " + defect, defect);
    }
  }
}
