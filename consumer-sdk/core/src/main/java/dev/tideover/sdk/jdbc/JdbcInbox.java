package dev.tideover.sdk.jdbc;

import dev.tideover.sdk.Inbox;
import dev.tideover.sdk.InboxException;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.RequestSettledException;
import dev.tideover.sdk.jdbc.InboxTable.RowKey;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The inbox as a table in the service's own database: a handler's effects and the fact that its
 * request has been handled are committed in one transaction, so they happen once.
 *
 * <pre>{@code
 * JdbcInbox inbox = JdbcInbox.builder(dataSource).build();
 * inbox.createSchema(); // or apply dev/tideover/sdk/jdbc/postgresql.sql yourself
 * Tideover.service("orders")
 *     .inbox(inbox)
 *     .handler(request -> inbox.transaction(request, connection -> {
 *       insertOrder(connection, request.json(Order.class));
 *       return Outcome.reply(201);
 *     }))
 *     ...
 * }</pre>
 *
 * <p>Immutable but for the time of its last {@link #tidy}; any thread. It takes a connection from
 * the data source for each step and gives it back as it was; the data source stays the caller's
 * own.
 */
public final class JdbcInbox implements Inbox {

  private static final Logger log = LoggerFactory.getLogger(JdbcInbox.class);

  /** More than a conflict with one other start, and one with the purge, ever takes. */
  private static final int MOST_TRIES = 5;

  private static final int PURGED_AT_ONCE = 500;
  private static final long PURGE_PERIOD = Duration.ofMinutes(1).toNanos();
  private static final long PURGE_TIME = Duration.ofSeconds(1).toNanos();

  private final DataSource dataSource;
  private final Dialect dialect;
  private final String name;
  private final InboxTable table;
  private final Duration retention;
  private final int maxReplyBytes;
  private final JdbcSteps steps;
  private final AtomicLong purgeDue = new AtomicLong(System.nanoTime() + PURGE_PERIOD);

  /** The transaction that this thread is in, or the last one that it has committed. */
  private final ThreadLocal<@Nullable Own> own = new ThreadLocal<>();

  /**
   * A transaction of {@link #transaction}.
   *
   * @param committed what it has stored, or null while it runs
   */
  private record Own(RowKey key, @Nullable Reply committed) {

    boolean has(RowKey other) {
      return Arrays.equals(key.id(), other.id()) && key.epoch() == other.epoch();
    }
  }

  JdbcInbox(JdbcInboxBuilder builder) {
    dataSource = builder.dataSource;
    dialect = builder.dialect;
    name = builder.table;
    table = new InboxTable(name);
    retention = builder.retention;
    maxReplyBytes = builder.maxReplyBytes;
    steps = new JdbcSteps(dataSource, dialect, name, builder.stepTimeout);
  }

  /**
   * An inbox in this database.
   *
   * @param dataSource a pool, as a rule. A start of a handler takes one connection, and so does its
   *     transaction, one after the other
   */
  public static JdbcInboxBuilder builder(DataSource dataSource) {
    return new JdbcInboxBuilder(dataSource);
  }

  /**
   * Creates the table and its index where they aren't there. Needs the right to create them; where
   * the service shouldn't have it, apply the script in {@code dev/tideover/sdk/jdbc/} instead.
   *
   * @throws InboxException if the database can't be used, or refuses
   */
  public void createSchema() {
    steps.run(
        "create the inbox's table",
        connection -> {
          dialect.createSchema(connection, name);
          return true;
        });
  }

  /**
   * Makes a handler's effects and stores its reply in one transaction: both or neither.
   *
   * <p>Returns what the handler is to return: the reply, once it is committed; the reply that
   * stands already, if another start of the same request was faster, and then these effects are
   * rolled back; or any other outcome, and then they are too. So they are with a reply of status
   * 500 and up while {@linkplain Request#onTrial this version is on trial}: if it was stored, the
   * version that is gone back to would have to send it.
   *
   * @param request the one that the handler was called with
   * @throws RequestSettledException if the request has become a dead letter meanwhile, or an
   *     operator has had it begun anew; the effects are rolled back. Let it pass
   * @throws IllegalStateException if this thread is in such a transaction already, or the work has
   *     turned autocommit on
   * @throws InboxException if the database can't be used
   * @throws Exception what the work has thrown, and what the commit has; the effects are rolled
   *     back
   */
  public Outcome transaction(Request request, UnitOfWork work) throws Exception {
    RowKey key = RowKey.of(request);
    Own around = own.get();
    if (around != null && around.committed() == null) {
      throw new IllegalStateException(
          "a transaction of the inbox within another one of the same thread: they would commit one"
              + " without the other. Pass the outer one's connection on, and make all effects of a"
              + " request in one");
    }
    own.set(new Own(key, null));
    Reply committed = null;
    try (Connection connection = steps.connect()) {
      boolean autoCommit = steps.begin(connection);
      boolean settled = false;
      try {
        Outcome outcome = work.run(connection);
        if (outcome instanceof Reply reply) {
          if (isNotForGood(request, reply)) {
            return reply;
          }
          if (reply.body().length > maxReplyBytes) {
            return tooLarge(reply);
          }
          checkInTransaction(connection);
          if (store(connection, key, reply)) {
            connection.commit();
            settled = true;
            committed = reply;
            return reply;
          }
          connection.rollback();
          committed = theOneThatStands(request, steps.find(connection, table, key));
          return committed;
        }
        return outcome;
      } finally {
        steps.end(connection, settled, autoCommit);
      }
    } finally {
      if (committed == null) {
        own.remove();
      } else {
        own.set(new Own(key, committed));
      }
    }
  }

  /**
   * The same for who manages transactions with something else: stores the reply in the caller's
   * transaction. Call it last; commit if it returns, and roll back if it throws.
   *
   * <pre>{@code
   * Reply reply = Outcome.reply(201);
   * inbox.complete(connection, request, reply);
   * return reply; // what manages the transaction commits it
   * }</pre>
   *
   * @param connection of the transaction that the effects are in
   * @throws RequestSettledException if somebody else has settled the request, or if the reply has a
   *     status of 500 and up while {@linkplain Request#onTrial this version is on trial}: roll
   *     back, and let it pass
   * @throws IllegalStateException if the connection is in autocommit mode
   * @throws IllegalArgumentException if the reply is larger than the inbox takes
   * @throws InboxException if the database can't be used
   * @throws SQLException if an earlier statement of the transaction has failed, or another
   *     transaction was in the way
   */
  public void complete(Connection connection, Request request, Reply reply) throws SQLException {
    checkInTransaction(connection);
    if (reply.body().length > maxReplyBytes) {
      throw new IllegalArgumentException(describeTooLarge(reply));
    }
    if (isNotForGood(request, reply)) {
      throw new RequestSettledException(
          "request "
              + request.id()
              + " was answered with status "
              + reply.status()
              + " by a version on trial, which isn't kept. Roll this transaction back and let this"
              + " exception pass: the request is tried again, or the version before handles it");
    }
    RowKey key = RowKey.of(request);
    if (!store(connection, key, reply)) {
      theOneThatStands(request, steps.find(connection, table, key));
      throw new RequestSettledException(
          "request "
              + request.id()
              + " has been completed by another start of it meanwhile. Roll this transaction back"
              + " and let this exception pass: its client gets the reply that the other has stored");
    }
  }

  /** What is stored is the answer for ever, whichever version handles the request. */
  private static boolean isNotForGood(Request request, Reply reply) {
    return request.onTrial() && reply.status() >= 500;
  }

  private static void checkInTransaction(Connection connection) throws SQLException {
    if (connection.getAutoCommit()) {
      throw new IllegalStateException(
          "the connection is in autocommit mode, so the effects are committed already, each alone,"
              + " and not with the inbox's row. Call setAutoCommit(false) before the first"
              + " statement, or use JdbcInbox.transaction, and leave it off");
    }
  }

  private boolean store(Connection connection, RowKey key, Reply reply) throws SQLException {
    try {
      return table.complete(connection, key, StoredReply.encode(reply));
    } catch (SQLException failure) {
      if (dialect.isConflict(failure) || dialect.isAftermath(failure)) {
        throw failure;
      }
      throw steps.trouble("store the reply", failure);
    }
  }

  /** Of a request whose row wasn't open any more. */
  private Reply theOneThatStands(Request request, Standing standing) {
    if (standing instanceof Standing.Completed completed) {
      return completed.reply();
    }
    if (standing instanceof Standing.Open) {
      throw new InboxException(
          "request "
              + request.id()
              + " has no open row in "
              + name
              + ", so its effects were rolled back. Was the consumer built with inbox(...), and does"
              + " this inbox use the same database and table? A row that somebody has deleted is"
              + " made anew with the next attempt",
          null);
    }
    throw new RequestSettledException(
        "request "
            + request.id()
            + (standing instanceof Standing.Superseded
                ? " was begun anew by an operator meanwhile"
                : " is a dead letter by now")
            + ", so the effects of this start of it must not be committed. Let this exception"
            + " pass: they are rolled back");
  }

  private Outcome tooLarge(Reply reply) {
    return Outcome.deadLetter(describeTooLarge(reply) + "; its effects were rolled back");
  }

  private String describeTooLarge(Reply reply) {
    return "the reply's content has "
        + reply.body().length
        + " bytes and the inbox takes "
        + maxReplyBytes
        + " (JdbcInboxBuilder.maxReplyBytes)";
  }

  @Override
  public Standing start(Request request, UUID incarnation, boolean alone) {
    own.remove();
    RowKey key = RowKey.of(request);
    return steps.run(
        "take down a start",
        connection -> {
          for (int tries = 0; tries < MOST_TRIES; tries++) {
            int number = dialect.start(connection, name, key.attempt(incarnation, alone));
            if (number > 0) {
              return new Standing.Open(number);
            }
            Standing standing = table.find(connection, key);
            if (!(standing instanceof Standing.Open)) {
              return standing;
            }
            // The row was deleted, or opened, between the two. Again.
          }
          throw contended(request);
        });
  }

  /** For what isn't committed with the effects: a handler that made none, or not in here. */
  @Override
  public Standing complete(Request request, Reply reply) {
    RowKey key = RowKey.of(request);
    Own last = own.get();
    if (last != null && last.has(key) && last.committed() != null) {
      own.remove();
      return new Standing.Completed(last.committed());
    }
    Reply stored = reply.body().length <= maxReplyBytes ? reply : replacement(reply);
    return steps.run(
        "store the reply",
        connection ->
            table.complete(connection, key, StoredReply.encode(stored))
                ? new Standing.Completed(stored)
                : table.find(connection, key));
  }

  /** Its effects have been made, so it can't be refused any more. */
  private Reply replacement(Reply reply) {
    log.error(
        "A handler has returned, outside of a transaction of the inbox, a reply that is larger than"
            + " it takes: {}. Its client gets a 502.",
        describeTooLarge(reply));
    return Outcome.reply(502)
        .header("content-type", "application/problem+json")
        .json(
            Map.of(
                "type",
                "about:blank",
                "title",
                "Bad Gateway",
                "status",
                502,
                "detail",
                "the service handled the request, but " + describeTooLarge(reply),
                "code",
                "reply-too-large",
                "retryable",
                false));
  }

  @Override
  public Standing failed(Request request, int start, boolean charge) {
    own.remove();
    RowKey key = RowKey.of(request);
    return steps.run(
        "take down a failure",
        connection ->
            table.failed(connection, key, start, charge)
                ? new Standing.Open(start)
                : table.find(connection, key));
  }

  @Override
  public Standing bury(Request request, int start) {
    own.remove();
    RowKey key = RowKey.of(request);
    return steps.run(
        "take down that it is dead",
        connection -> {
          int latest = start;
          for (int tries = 0; tries < MOST_TRIES; tries++) {
            if (latest > 0 && table.bury(connection, key, latest)) {
              return new Standing.Dead();
            }
            Standing standing = table.find(connection, key);
            if (!(standing instanceof Standing.Open open)) {
              return standing;
            }
            if (start > 0 && open.starts() > start) {
              return standing; // somebody else is at it, and it is theirs to say so
            }
            if (open.starts() > 0) {
              latest = open.starts();
            } else {
              // So that there is a row, and no start of it can complete any more.
              latest = dialect.start(connection, name, key.attempt(NOBODY, false));
            }
          }
          throw contended(request);
        });
  }

  private static final UUID NOBODY = new UUID(0, 0);

  private InboxException contended(Request request) {
    return new InboxException(
        "the row of request "
            + request.id()
            + " in "
            + name
            + " changes all the time. It is tried again; see who else writes there",
        null);
  }

  @Override
  public Standing find(Request request) {
    RowKey key = RowKey.of(request);
    return steps.run("look a request up", connection -> table.find(connection, key));
  }

  /** At most once a minute: deletes what is past its retention, for about a second at most. */
  @Override
  public void tidy() {
    long now = System.nanoTime();
    long due = purgeDue.get();
    if (now - due < 0 || !purgeDue.compareAndSet(due, now + PURGE_PERIOD)) {
      return;
    }
    try {
      int deleted = purge(now + PURGE_TIME);
      log.debug("{} rows of {} were past their retention", deleted, name);
    } catch (InboxException trouble) {
      log.warn("Rows of {} that are past their retention stay for now", name, trouble);
    }
  }

  /** Deletes what is past its retention, a batch at a time, until then at least. */
  int purge(long until) {
    int deleted = 0;
    int batch;
    do {
      batch =
          steps.run(
              "delete what is past its retention",
              connection -> dialect.purge(connection, name, retention, PURGED_AT_ONCE));
      deleted += batch;
    } while (batch == PURGED_AT_ONCE && System.nanoTime() - until < 0);
    return deleted;
  }
}
