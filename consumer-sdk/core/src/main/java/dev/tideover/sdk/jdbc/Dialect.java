package dev.tideover.sdk.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.UUID;

/**
 * What the inbox needs of a database beyond what all of them understand. Immutable; called by many
 * threads at once, each with a connection of its own.
 *
 * <p>The connections given here are in autocommit mode, so that one statement is one transaction. A
 * dialect that needs several turns it off, and leaves it on again.
 */
public interface Dialect {

  /** PostgreSQL 12 and later, and what speaks its SQL. */
  static Dialect postgresql() {
    return PostgresDialect.INSTANCE;
  }

  /** A start of a handler, in the terms of the table's columns. */
  @SuppressWarnings("ArrayRecordComponent") // compared by nobody
  record Attempt(
      byte[] messageId, byte[] fingerprint, int replayEpoch, UUID openBy, boolean openSolo) {}

  /** Creates the table and its index where they aren't there; safe to be called at once by many. */
  void createSchema(Connection connection, String table) throws SQLException;

  /**
   * Takes a start down, atomically. There is no row: inserts one with {@code starts} 1. The row has
   * the same fingerprint and is pending under this replay epoch or a lower one, or has failed under
   * a lower one: updates it as below. Otherwise touches nothing.
   *
   * <p>The update: under the row's own epoch {@code starts} grows by 1; {@code orphans} too, if
   * {@code open_by} is another one than the attempt's, not null; {@code solo_crashes} too, if
   * besides {@code open_solo} is set. Under a higher one {@code starts} becomes 1 and {@code
   * failures, orphans, solo_crashes} 0. In any case {@code state} becomes 0, {@code done_at} null,
   * and {@code replay_epoch, open_by, open_solo} the attempt's.
   *
   * @return the row's {@code starts} as this wrote it; 0 if it touched nothing
   */
  int start(Connection connection, String table, Attempt attempt) throws SQLException;

  /**
   * Deletes rows that were done so long ago, the oldest first. Must find them by the index, and
   * pass over those that another connection has locked.
   *
   * @param most how many at most
   * @return how many
   */
  int purge(Connection connection, String table, Duration age, int most) throws SQLException;

  /**
   * Whether the statement met another transaction and nothing else is wrong: a serialization
   * failure, a deadlock. Another run of it will do.
   */
  boolean isConflict(SQLException failure);

  /**
   * Whether the statement was refused because an earlier one of its transaction had failed: then
   * that one's failure is what matters, and it was passed over by who made it.
   */
  boolean isAftermath(SQLException failure);
}
