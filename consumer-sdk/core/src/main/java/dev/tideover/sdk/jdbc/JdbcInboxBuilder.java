package dev.tideover.sdk.jdbc;

import java.time.Duration;
import java.util.regex.Pattern;
import javax.sql.DataSource;

/** Sets up a {@link JdbcInbox}. Not safe for use by several threads at once. */
public final class JdbcInboxBuilder {

  private static final Pattern TABLE =
      Pattern.compile("([a-z_][a-z0-9_]{0,62}\\.)?[a-z_][a-z0-9_]{0,50}");

  final DataSource dataSource;
  Dialect dialect = Dialect.postgresql();
  String table = "tideover_inbox";
  Duration retention = Duration.ofDays(8);
  Duration stepTimeout = Duration.ofSeconds(5);
  int maxReplyBytes = 8 << 20;

  JdbcInboxBuilder(DataSource dataSource) {
    this.dataSource = dataSource;
  }

  /** The database's kind; default {@link Dialect#postgresql}. */
  public JdbcInboxBuilder dialect(Dialect dialect) {
    this.dialect = dialect;
    return this;
  }

  /**
   * The table; default {@code tideover_inbox}, found by the connection's search path.
   *
   * @param table lower-case, with a schema and a dot before it if need be
   * @throws IllegalArgumentException for what is no such name
   */
  public JdbcInboxBuilder table(String table) {
    if (!TABLE.matcher(table).matches()) {
      throw new IllegalArgumentException(
          "table \"" + table + "\": expected to match " + TABLE.pattern());
    }
    this.table = table;
    return this;
  }

  /**
   * How long a row stays after its request has ended; default 8 days. It has to be longer than the
   * request topic's retention (7 days by default), and than dead letters are kept: a request that
   * comes again after it is handled again.
   *
   * @throws IllegalArgumentException for less than a minute
   */
  public JdbcInboxBuilder retention(Duration retention) {
    if (retention.compareTo(Duration.ofMinutes(1)) < 0) {
      throw new IllegalArgumentException("retention " + retention + ": expected a minute at least");
    }
    this.retention = retention;
    return this;
  }

  /**
   * How long one of the inbox's own statements may take before its connection is given up; default
   * 5 s. It doesn't concern a handler's transaction, nor how long the data source may take to give
   * a connection.
   *
   * @throws IllegalArgumentException for less than 100 ms or more than an hour
   */
  public JdbcInboxBuilder stepTimeout(Duration stepTimeout) {
    if (stepTimeout.toMillis() < 100 || stepTimeout.compareTo(Duration.ofHours(1)) > 0) {
      throw new IllegalArgumentException(
          "stepTimeout " + stepTimeout + ": expected 100 ms to an hour");
    }
    this.stepTimeout = stepTimeout;
    return this;
  }

  /**
   * How large a reply's content may be; default 8 MiB. Not larger than the reply topic takes.
   *
   * @throws IllegalArgumentException for less than 1 KiB or more than 1 GiB
   */
  public JdbcInboxBuilder maxReplyBytes(int maxReplyBytes) {
    if (maxReplyBytes < 1 << 10 || maxReplyBytes > 1 << 30) {
      throw new IllegalArgumentException(
          "maxReplyBytes " + maxReplyBytes + ": expected 1 KiB to 1 GiB");
    }
    this.maxReplyBytes = maxReplyBytes;
    return this;
  }

  /** The inbox. Doesn't connect yet. */
  public JdbcInbox build() {
    return new JdbcInbox(this);
  }
}
