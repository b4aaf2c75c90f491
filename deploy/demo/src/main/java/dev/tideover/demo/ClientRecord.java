package dev.tideover.demo;

import org.jspecify.annotations.Nullable;

/**
 * What a client saw of one request, from its sending to its final answer.
 *
 * @param customer the customer in the path
 * @param seq the number in the body
 * @param promised an answer said that the request is stored or was handled: from then on its effect
 *     is owed
 * @param answeredWith202 the first answer was {@code 202 Accepted}
 * @param answer the final answer; null where none came in time, or the connection failed
 */
record ClientRecord(
    String customer, int seq, boolean promised, boolean answeredWith202, @Nullable Answer answer) {

  /**
   * A final answer.
   *
   * @param status the HTTP status
   * @param fromService whether it is the service's own and not the gateway's
   * @param order the body, where it is the service's document
   */
  record Answer(int status, boolean fromService, @Nullable OrderReply order) {
    boolean isServices201() {
      return status == 201 && fromService;
    }
  }

  String order() {
    return OrderReply.orderId(customer, seq);
  }
}
