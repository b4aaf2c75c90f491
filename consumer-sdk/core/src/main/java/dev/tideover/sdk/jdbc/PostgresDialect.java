package dev.tideover.sdk.jdbc;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Objects;

/** See {@link Dialect#postgresql}. */
final class PostgresDialect implements Dialect {

  static final PostgresDialect INSTANCE = new PostgresDialect();

  private static final String RESOURCE = "postgresql.sql";

  /**
   * "CREATE ... IF NOT EXISTS" alone fails where two sessions run it at once; a number like any.
   */
  private static final long SCHEMA_LOCK = 0x7469_6465_6f76_6572L;

  @Override
  public void createSchema(Connection connection, String table) throws SQLException {
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.execute("SELECT pg_advisory_xact_lock(" + SCHEMA_LOCK + ")");
      statement.execute(schema(table));
      connection.commit();
    } catch (SQLException failure) {
      connection.rollback();
      throw failure;
    } finally {
      connection.setAutoCommit(true);
    }
  }

  /** The script for this table. An index is always in its table's schema, so its name has none. */
  static String schema(String table) {
    String bare = table.substring(table.lastIndexOf('.') + 1);
    try (InputStream in =
        Objects.requireNonNull(
            PostgresDialect.class.getResourceAsStream(RESOURCE), "a part of this jar")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8)
          .replace("tideover_inbox_", bare + "_")
          .replace(" tideover_inbox ", " " + table + " ");
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }

  @Override
  public int start(Connection connection, String table, Attempt attempt) throws SQLException {
    // A row that another transaction is writing is waited for; the conditions are then judged
    // by what that one has committed. At SERIALIZABLE it is a conflict instead.
    String sql =
        """
        INSERT INTO %s AS i
          (message_id, fp, replay_epoch, starts, open_by, open_solo, first_seen)
        VALUES (?, ?, ?, 1, ?, ?, now())
        ON CONFLICT (message_id) DO UPDATE SET
          starts = CASE WHEN excluded.replay_epoch > i.replay_epoch THEN 1 ELSE i.starts + 1 END,
          failures = CASE WHEN excluded.replay_epoch > i.replay_epoch THEN 0 ELSE i.failures END,
          orphans = CASE WHEN excluded.replay_epoch > i.replay_epoch THEN 0
            WHEN i.open_by <> excluded.open_by THEN i.orphans + 1
            ELSE i.orphans END,
          solo_crashes = CASE WHEN excluded.replay_epoch > i.replay_epoch THEN 0
            WHEN i.open_by <> excluded.open_by AND i.open_solo THEN i.solo_crashes + 1
            ELSE i.solo_crashes END,
          state = 0,
          done_at = NULL,
          replay_epoch = excluded.replay_epoch,
          open_by = excluded.open_by,
          open_solo = excluded.open_solo
        WHERE i.fp = excluded.fp
          AND (i.state = 0 AND excluded.replay_epoch >= i.replay_epoch
            OR i.state = 2 AND excluded.replay_epoch > i.replay_epoch)
        RETURNING starts
        """
            .formatted(table);
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setBytes(1, attempt.messageId());
      statement.setBytes(2, attempt.fingerprint());
      statement.setInt(3, attempt.replayEpoch());
      statement.setObject(4, attempt.openBy());
      statement.setBoolean(5, attempt.openSolo());
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() ? rows.getInt(1) : 0;
      }
    }
  }

  /** What is written so that both the search and the deletion go by an index. */
  static String purgeSql(String table) {
    return """
    DELETE FROM %1$s WHERE message_id = ANY (ARRAY(
      SELECT message_id FROM %1$s
      WHERE done_at < now() - ? * INTERVAL '1 second'
      ORDER BY done_at
      LIMIT ?
      FOR UPDATE SKIP LOCKED))
    """
        .formatted(table);
  }

  @Override
  public int purge(Connection connection, String table, Duration age, int most)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(purgeSql(table))) {
      statement.setLong(1, age.toSeconds());
      statement.setInt(2, most);
      return statement.executeUpdate();
    }
  }

  @Override
  public boolean isConflict(SQLException failure) {
    String state = failure.getSQLState();
    return "40001".equals(state) || "40P01".equals(state);
  }

  @Override
  public boolean isAftermath(SQLException failure) {
    return "25P02".equals(failure.getSQLState());
  }
}
