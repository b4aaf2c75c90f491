package dev.tideover.sdk;

import java.util.UUID;

/**
 * Remembers in the service's own database which requests have been handled, so that an effect which
 * is committed together with this memory happens once, however often its request is delivered. The
 * one to use is {@code dev.tideover.sdk.jdbc.JdbcInbox}; implement this for another kind of store.
 *
 * <p>The engine asks on the thread that handles the request: {@link #start} before each start of
 * the handler, then {@link #complete} with its reply, or {@link #failed}; {@link #bury} before a
 * request becomes a dead letter. Each is one short, atomic and durable step, and each answers with
 * what stands in the store after it. All methods may be called by many threads and instances at
 * once.
 *
 * <p>What an implementation throws means that the store can't be used now: the engine takes it for
 * a fault of the infrastructure, which uses no attempt. It must not block for ever.
 */
public interface Inbox {

  /** What stands in the inbox about a request. */
  sealed interface Standing
      permits Standing.Open,
          Standing.Completed,
          Standing.Dead,
          Standing.Mismatch,
          Standing.Superseded {

    /**
     * It hasn't ended.
     *
     * @param starts the number of its latest start, from 1; 0 if it was never started
     */
    record Open(int starts) implements Standing {}

    /**
     * It has been handled, and its effects are committed.
     *
     * @param reply what it was answered then, and is to be answered for ever
     */
    record Completed(Reply reply) implements Standing {}

    /** It has failed for good. */
    record Dead() implements Standing {}

    /** Its id belongs to another request: one with another {@link Request#fingerprint}. */
    record Mismatch() implements Standing {}

    /** It is an earlier run: an operator has had it handled anew, see {@link Request#replay}. */
    record Superseded() implements Standing {}
  }

  /**
   * A handler is about to be started. Is committed before it is.
   *
   * @param incarnation the run of the instance that starts it; another one with each start of a
   *     consumer
   * @param alone whether nothing else runs in the instance meanwhile, so that a crash would be this
   *     request's doing
   * @return {@code Open} with this start's number: go ahead. Anything else: don't start it
   */
  Standing start(Request request, UUID incarnation, boolean alone);

  /**
   * Its handler has returned this reply. Where the reply has been stored together with the
   * handler's effects already, this finds it so.
   *
   * @return {@code Completed} with the reply that stands, which is the first one; or what stands
   *     instead
   */
  Standing complete(Request request, Reply reply);

  /**
   * A start has ended in good order and without a reply. One that isn't the latest changes nothing.
   *
   * @param start its number
   * @param charge whether it was the request's fault
   */
  Standing failed(Request request, int start, boolean charge);

  /**
   * It is about to become a dead letter.
   *
   * @param start the number of its latest start as far as the caller knows, or 0 where it knows
   *     none
   * @return {@code Dead}: it may, and no start of it can complete any more. {@code Completed}: it
   *     must not, since it has been handled after all. {@code Open}: there is a later start than
   *     the given one, and whoever made it is to say how it ends
   */
  Standing bury(Request request, int start);

  /** How it stands; {@code Open} with 0 if nothing is known of it. */
  Standing find(Request request);

  /**
   * Called often, on a thread that has just handled a request: the time to forget what is old. Must
   * return at once as a rule, and within a second or so when it does something.
   */
  default void tidy() {}
}
