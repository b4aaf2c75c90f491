package dev.tideover.sdk.jdbc;

import dev.tideover.sdk.Inbox.Standing;
import dev.tideover.sdk.Reply;
import dev.tideover.sdk.Request;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.RequestId;
import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.UUID;

/**
 * The statements about one row that every database understands. Immutable.
 *
 * <p>What each condition is for:
 *
 * <ul>
 *   <li>{@code state = 0}: who comes late, a start that Kafka has long given to another instance,
 *       changes nothing about what has ended. Not "not succeeded": it would make a success of what
 *       is a dead letter already.
 *   <li>{@code replay_epoch}: such a start of a run that had failed can't complete the one that an
 *       operator has begun since.
 *   <li>{@code starts}: only the latest start may say that the request has failed.
 * </ul>
 *
 * <p>All of them write the row that they judge. So two that meet are put into an order by its lock:
 * at READ COMMITTED the second judges what the first has committed and finds no row; at REPEATABLE
 * READ and SERIALIZABLE it is refused as a conflict.
 */
final class InboxTable {

  private static final short SUCCEEDED = 1;
  private static final short FAILED = 2;

  /** A request in the terms of the table. */
  @SuppressWarnings("ArrayRecordComponent") // compared by nobody
  record RowKey(byte[] id, byte[] fingerprint, int epoch) {

    static RowKey of(Request request) {
      RequestId id = RequestId.parse(request.id());
      Fingerprint fingerprint = Fingerprint.parse(request.fingerprint());
      if (id == null || fingerprint == null) {
        throw new IllegalArgumentException(
            "the inbox needs a request's id (22 characters of base64url) and its fingerprint (32"
                + " hex digits), and this one has \""
                + request.id()
                + "\" and \""
                + request.fingerprint()
                + "\"");
      }
      byte[] bytes =
          ByteBuffer.allocate(16).putLong(fingerprint.high()).putLong(fingerprint.low()).array();
      return new RowKey(id.toBytes(), bytes, request.replay());
    }

    Dialect.Attempt attempt(UUID openBy, boolean openSolo) {
      return new Dialect.Attempt(id, fingerprint, epoch, openBy, openSolo);
    }
  }

  private final String complete;
  private final String failed;
  private final String bury;
  private final String find;

  InboxTable(String table) {
    complete =
        "UPDATE "
            + table
            + " SET state = 1, reply = ?, done_at = CURRENT_TIMESTAMP, open_by = NULL"
            + " WHERE message_id = ? AND state = 0 AND replay_epoch = ?";
    failed =
        "UPDATE "
            + table
            + " SET open_by = NULL, failures = failures + ?"
            + " WHERE message_id = ? AND state = 0 AND replay_epoch = ? AND starts = ?";
    bury =
        "UPDATE "
            + table
            + " SET state = 2, done_at = CURRENT_TIMESTAMP, open_by = NULL"
            + " WHERE message_id = ? AND state = 0 AND replay_epoch = ? AND starts = ?";
    find = "SELECT fp, state, replay_epoch, starts, reply FROM " + table + " WHERE message_id = ?";
  }

  /** It has succeeded. Whether the row was still open; if not, the transaction mustn't commit. */
  boolean complete(Connection connection, RowKey key, byte[] reply) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(complete)) {
      statement.setBytes(1, reply);
      statement.setBytes(2, key.id());
      statement.setInt(3, key.epoch());
      return statement.executeUpdate() == 1;
    }
  }

  /** A start has ended without a success. Whether it is the latest of an open row. */
  boolean failed(Connection connection, RowKey key, int start, boolean charge) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(failed)) {
      statement.setInt(1, charge ? 1 : 0);
      statement.setBytes(2, key.id());
      statement.setInt(3, key.epoch());
      statement.setInt(4, start);
      return statement.executeUpdate() == 1;
    }
  }

  /** It has failed for good. Whether the row was still open, with this start as its latest. */
  boolean bury(Connection connection, RowKey key, int start) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(bury)) {
      statement.setBytes(1, key.id());
      statement.setInt(2, key.epoch());
      statement.setInt(3, start);
      return statement.executeUpdate() == 1;
    }
  }

  /** What the row says about this request. */
  Standing find(Connection connection, RowKey key) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(find)) {
      statement.setBytes(1, key.id());
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() ? standing(key, rows) : new Standing.Open(0);
      }
    }
  }

  private static Standing standing(RowKey key, ResultSet row) throws SQLException {
    if (!Arrays.equals(key.fingerprint(), row.getBytes(1))) {
      return new Standing.Mismatch();
    }
    short state = row.getShort(2);
    int epoch = row.getInt(3);
    if (state == SUCCEEDED) {
      Reply reply = StoredReply.decode(row.getBytes(5));
      return new Standing.Completed(reply);
    }
    if (epoch > key.epoch()) {
      return new Standing.Superseded();
    }
    if (state == FAILED) {
      return epoch == key.epoch() ? new Standing.Dead() : new Standing.Open(0);
    }
    return new Standing.Open(epoch == key.epoch() ? row.getInt(4) : 0);
  }
}
