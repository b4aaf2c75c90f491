package dev.tideover.sdk.jdbc;

import dev.tideover.sdk.Inbox.Standing;
import dev.tideover.sdk.InboxException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.time.Duration;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes connections and gives them back as they were, on every path: one that can't be made so is
 * aborted, so that no pool gives it to anybody else. Immutable; any thread.
 */
final class JdbcSteps {

  private static final Logger log = LoggerFactory.getLogger(JdbcSteps.class);
  private static final int MOST_CONFLICTS = 5;

  /** One short transaction: what it does with a connection in autocommit mode. */
  @FunctionalInterface
  interface Step<T> {
    T run(Connection connection) throws SQLException;
  }

  private final DataSource dataSource;
  private final Dialect dialect;
  private final String table;
  private final int timeoutMillis;

  JdbcSteps(DataSource dataSource, Dialect dialect, String table, Duration timeout) {
    this.dataSource = dataSource;
    this.dialect = dialect;
    this.table = table;
    this.timeoutMillis = Math.toIntExact(timeout.toMillis());
  }

  /**
   * Does a step, again if another transaction was in its way.
   *
   * @param what it does, as a phrase for a message
   * @throws InboxException if the database can't be used
   */
  <T> T run(String what, Step<T> step) {
    for (int conflicts = 1; ; conflicts++) {
      try (Connection connection = dataSource.getConnection()) {
        return once(connection, step);
      } catch (SQLException failure) {
        if (conflicts == MOST_CONFLICTS || !dialect.isConflict(failure)) {
          throw trouble(what, failure);
        }
      }
    }
  }

  private <T> T once(Connection connection, Step<T> step) throws SQLException {
    boolean autoCommit = connection.getAutoCommit();
    if (!autoCommit) {
      connection.setAutoCommit(true);
    }
    int networkTimeout = limit(connection);
    boolean done = false;
    try {
      T result = step.run(connection);
      done = true;
      return result;
    } finally {
      restore(
          connection,
          done,
          () -> {
            if (networkTimeout >= 0) {
              connection.setNetworkTimeout(Runnable::run, networkTimeout);
            }
            if (!autoCommit) {
              connection.setAutoCommit(false);
            }
          });
    }
  }

  /** Without it, a database that is cut off would keep the thread. Returns what it was, or -1. */
  private int limit(Connection connection) throws SQLException {
    try {
      int before = connection.getNetworkTimeout();
      if (before > 0 && before <= timeoutMillis) {
        return -1;
      }
      connection.setNetworkTimeout(Runnable::run, timeoutMillis);
      return before;
    } catch (SQLFeatureNotSupportedException without) {
      return -1;
    }
  }

  /** A connection for a handler's transaction. */
  Connection connect() {
    try {
      return dataSource.getConnection();
    } catch (SQLException failure) {
      throw trouble("begin a transaction", failure);
    }
  }

  /** Begins it, and returns whether autocommit was on. */
  boolean begin(Connection connection) {
    try {
      boolean autoCommit = connection.getAutoCommit();
      if (autoCommit) {
        connection.setAutoCommit(false);
      }
      return autoCommit;
    } catch (SQLException failure) {
      throw trouble("begin a transaction", failure);
    }
  }

  /** Ends it: rolls it back, unless it is settled, and then makes the connection what it was. */
  void end(Connection connection, boolean settled, boolean autoCommit) {
    restore(
        connection,
        settled,
        () -> {
          if (!settled && !connection.getAutoCommit()) {
            connection.rollback();
          }
          if (autoCommit) {
            connection.setAutoCommit(true);
          }
        });
  }

  @FunctionalInterface
  private interface Restoring {
    void run() throws SQLException;
  }

  /**
   * A failure here must not hide one before. And to turn autocommit on commits what is open, so a
   * connection that couldn't be rolled back must end instead.
   */
  private static void restore(Connection connection, boolean wasFine, Restoring restoring) {
    try {
      restoring.run();
    } catch (SQLException broken) {
      if (wasFine) {
        log.debug("A connection can't be given back as it was, and is aborted", broken);
      }
      try {
        connection.abort(Runnable::run);
      } catch (SQLException gone) {
        log.debug("Nor can it be aborted", gone);
      }
    }
  }

  /** Looks a row up in the caller's transaction. */
  Standing find(Connection connection, InboxTable rows, InboxTable.RowKey key) throws SQLException {
    try {
      return rows.find(connection, key);
    } catch (SQLException failure) {
      if (dialect.isConflict(failure)) {
        throw failure;
      }
      throw trouble("look a request up", failure);
    }
  }

  /** What a human needs to know about a database that can't be used. */
  InboxException trouble(String what, SQLException failure) {
    String state = failure.getSQLState() == null ? "" : failure.getSQLState();
    String hint =
        switch (state) {
          case "42P01", "42S02" ->
              "There is no table "
                  + table
                  + ", or the connection's search path doesn't lead to it. Apply the script in"
                  + " dev/tideover/sdk/jdbc/, or call createSchema()";
          case "42703", "42S22" ->
              "The table "
                  + table
                  + " has other columns than this version needs. Compare it with the script in"
                  + " dev/tideover/sdk/jdbc/";
          case "42501" ->
              "The service's user needs the rights to SELECT, INSERT, UPDATE and DELETE in "
                  + table;
          default -> "The request isn't at fault; it is tried again";
        };
    return new InboxException(
        "the inbox couldn't " + what + ": " + failure.getMessage() + ". " + hint, failure);
  }
}
