package dev.tideover.demo;

/**
 * What the orders service answers: the order echoed, and the version that placed it.
 *
 * @param order the order's id
 * @param customer the customer in the request's path
 * @param seq the number in the request's body
 * @param version the version of the service
 */
record OrderReply(String order, String customer, int seq, String version) {

  /**
   * The id of a customer's order. Both sides compute it, so that the client knows what to expect.
   */
  static String orderId(String customer, int seq) {
    return customer + '-' + seq;
  }
}
