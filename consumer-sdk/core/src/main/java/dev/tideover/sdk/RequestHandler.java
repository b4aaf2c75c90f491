package dev.tideover.sdk;

/**
 * What the service does with a request.
 *
 * <p>Called by many threads at once, but never twice at once for one ordering key by this consumer.
 * Blocking is fine. When the engine gives a request up (its partition went to another instance, or
 * a shutdown's time is over) the thread is interrupted; whatever the handler does then, nothing is
 * sent and the request is handled again elsewhere.
 */
@FunctionalInterface
public interface RequestHandler {

  /**
   * Handles one request.
   *
   * @return what shall become of it; never null
   * @throws Exception if this attempt failed: the request is tried again after a pause, in place,
   *     so that later requests of its key wait; after the last attempt it is a dead letter
   */
  Outcome handle(Request request) throws Exception;
}
