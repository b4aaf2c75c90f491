package dev.tideover.demo;

import org.jspecify.annotations.Nullable;

/**
 * One effect of the orders service: an order was placed.
 *
 * @param customer the customer, which is the ordering key of the request
 * @param seq the number that the client gave the order, counting up from 1 for each customer
 * @param order the order's id
 * @param requestId the gateway's id of the request
 * @param partition the partition of {@code orders.requests} that the request came from
 * @param offset its offset there
 * @param version the version of the service that placed it
 * @param atMillis when, in epoch milliseconds
 */
record LedgerEntry(
    String customer,
    int seq,
    String order,
    String requestId,
    int partition,
    long offset,
    String version,
    long atMillis) {

  private static final char SEPARATOR = ' ';
  private static final int FIELDS = 8;

  /** The entry as one line, with its line feed. */
  String toLine() {
    return String.join(
            String.valueOf(SEPARATOR),
            customer,
            String.valueOf(seq),
            order,
            requestId,
            String.valueOf(partition),
            String.valueOf(offset),
            version,
            String.valueOf(atMillis))
        + '\n';
  }

  /** The entry in a line, or null where the line holds none. */
  static @Nullable LedgerEntry parse(String line) {
    String[] fields = line.split(String.valueOf(SEPARATOR), -1);
    if (fields.length != FIELDS) {
      return null;
    }
    try {
      return new LedgerEntry(
          fields[0],
          Integer.parseInt(fields[1]),
          fields[2],
          fields[3],
          Integer.parseInt(fields[4]),
          Long.parseLong(fields[5]),
          fields[6],
          Long.parseLong(fields[7]));
    } catch (NumberFormatException e) {
      return null;
    }
  }
}
