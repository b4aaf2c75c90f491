package dev.tideover.sdk.jdbc;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * A real PostgreSQL on loopback: one server for all tests of a JVM, and a schema of its own for
 * each of these. Where it can't be started the test is skipped; with {@code CI=true} it fails.
 */
public final class TestPostgres {

  private static final AtomicInteger schemas = new AtomicInteger();
  private static @Nullable EmbeddedPostgres server;
  private static @Nullable Throwable absent;

  private final EmbeddedPostgres postgres;
  private final String schema;

  private TestPostgres(EmbeddedPostgres postgres, String schema) {
    this.postgres = postgres;
    this.schema = schema;
  }

  /** An empty schema. */
  public static TestPostgres create() throws SQLException {
    return on(shared());
  }

  /** The same on a server of the caller's own. */
  public static TestPostgres on(EmbeddedPostgres postgres) throws SQLException {
    String schema = "test_" + ProcessHandle.current().pid() + "_" + schemas.incrementAndGet();
    TestPostgres created = new TestPostgres(postgres, schema);
    created.execute("CREATE SCHEMA " + schema);
    return created;
  }

  private static synchronized EmbeddedPostgres shared() {
    if (server == null && absent == null) {
      try {
        server = builder().start();
      } catch (IOException | RuntimeException impossible) {
        absent = impossible;
      }
    }
    if (server == null) {
      refuse(absent);
    }
    return server;
  }

  /** What a server of one's own is made of. */
  public static EmbeddedPostgres.Builder builder() {
    return EmbeddedPostgres.builder()
        .setPGStartupWait(Duration.ofSeconds(60))
        .setServerConfig("fsync", "off")
        .setServerConfig("max_connections", "200");
  }

  /** Ends the test, since there is no PostgreSQL. */
  public static void refuse(Throwable cause) {
    if ("true".equals(System.getenv("CI"))) {
      throw new AssertionError("PostgreSQL can't be started, and here (CI=true) it must", cause);
    }
    System.out.println("Skipped: PostgreSQL can't be started here: " + cause);
    Assumptions.abort("PostgreSQL can't be started here: " + cause);
  }

  /** Connections that find the schema's tables. */
  public PGSimpleDataSource dataSource() {
    PGSimpleDataSource source = (PGSimpleDataSource) postgres.getPostgresDatabase();
    source.setCurrentSchema(schema);
    return source;
  }

  /** The same, with this level unless the caller sets another one. */
  public PGSimpleDataSource dataSource(Isolation isolation) {
    PGSimpleDataSource source = dataSource();
    source.setOptions("-c default_transaction_isolation=" + isolation.text);
    return source;
  }

  /** Isolation levels. */
  public enum Isolation {
    READ_COMMITTED("read\\ committed"),
    REPEATABLE_READ("repeatable\\ read"),
    SERIALIZABLE("serializable");

    private final String text;

    Isolation(String text) {
      this.text = text;
    }
  }

  /** Runs one statement. */
  public void execute(String sql) throws SQLException {
    try (Connection connection = dataSource().getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  /** Its result's first number. */
  public long number(String sql) throws SQLException {
    return Long.parseLong(text(sql));
  }

  /** Its result's first column and row as text. */
  public String text(String sql) throws SQLException {
    try (Connection connection = dataSource().getConnection();
        PreparedStatement statement = connection.prepareStatement(sql);
        ResultSet rows = statement.executeQuery()) {
      if (!rows.next()) {
        throw new AssertionError("no row: " + sql);
      }
      return rows.getString(1);
    }
  }

  /** Waits until so many statements wait for a lock of this schema's tables. */
  public void awaitBlocked(int statements) {
    String sql =
        "SELECT count(DISTINCT a.pid) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid"
            + " JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid ="
            + " c.relnamespace WHERE a.wait_event_type = 'Lock' AND n.nspname = '"
            + schema
            + "'";
    until(() -> number(sql) == statements);
  }

  static void until(Callable<Boolean> condition) {
    Awaitility.await()
        .atMost(Duration.ofSeconds(20))
        .pollInterval(Duration.ofMillis(10))
        .until(condition);
  }

  /** How a request's row stands, as its columns with commas; "" for none. */
  public String row(String columns) throws SQLException {
    return text(
        "SELECT coalesce((SELECT concat_ws(',', " + columns + ") FROM tideover_inbox), '')");
  }
}
