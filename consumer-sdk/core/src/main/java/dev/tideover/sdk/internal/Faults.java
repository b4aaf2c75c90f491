package dev.tideover.sdk.internal;

import dev.tideover.sdk.InboxException;
import dev.tideover.sdk.internal.core.Fault;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.PortUnreachableException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.channels.UnresolvedAddressException;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whose fault an exception of a handler's is. Immutable; any thread.
 *
 * <p>The rule: an infrastructure fault is one that every other request would meet as well, and that
 * goes away without a change to the request. To take a request's fault for one is the worse
 * mistake, since such a request would be tried for ever and stop all others; so what is not known
 * to be one is the message's. The user's predicate knows more: what it says yes to is one.
 */
final class Faults {

  private static final Logger log = LoggerFactory.getLogger(Faults.class);

  private static final int LONGEST_CHAIN = 20;

  /**
   * By name, since none of them is a dependency, and neither {@code java.sql} nor {@code
   * java.net.http} need be in the JVM's image. A class counts as well if one that it extends is
   * here; and what wraps one needn't be here, since causes are looked at.
   *
   * <p>Not here, and why: {@code SocketException} and {@code EOFException} ("connection reset") can
   * be what one request's content does to a peer; {@code SSLException} is mostly a matter of one
   * address and its certificate, and doesn't go away; {@code ClosedChannelException} is what an
   * interrupt leaves behind; {@code SQLTimeoutException} is a limit for one statement; {@code
   * java.util.concurrent.TimeoutException} can be anything.
   */
  private static final Set<String> NAMES =
      Set.of(
          // A peer that doesn't answer.
          "java.net.http.HttpTimeoutException",
          // A database that can't be reached. What HikariCP throws for an empty pool is the first.
          "java.sql.SQLTransientConnectionException",
          "java.sql.SQLNonTransientConnectionException",
          "java.sql.SQLRecoverableException",
          "org.springframework.jdbc.CannotGetJdbcConnectionException",
          "org.springframework.dao.DataAccessResourceFailureException",
          // Other pools without a connection to give.
          "org.apache.tomcat.jdbc.pool.PoolExhaustedException",
          "org.apache.http.conn.ConnectionPoolTimeoutException",
          "org.apache.hc.core5.http.ConnectionRequestTimeoutException",
          // Stores and brokers whose clients have exceptions of their own.
          "redis.clients.jedis.exceptions.JedisConnectionException",
          "io.lettuce.core.RedisConnectionException",
          "com.mongodb.MongoSocketException",
          "com.mongodb.MongoTimeoutException",
          "com.mongodb.MongoNotPrimaryException",
          "com.mongodb.MongoNodeIsRecoveringException",
          "com.datastax.oss.driver.api.core.AllNodesFailedException",
          "com.rabbitmq.client.AlreadyClosedException",
          "org.apache.kafka.common.errors.TimeoutException",
          "org.apache.kafka.common.errors.DisconnectException");

  private static final String SQL_EXCEPTION = "java.sql.SQLException";

  private final @Nullable Predicate<Throwable> users;

  /**
   * A classification.
   *
   * @param users asked first, with the throwable as it was thrown; null for none
   */
  Faults(@Nullable Predicate<Throwable> users) {
    this.users = users;
  }

  /** Whose fault it is. */
  Fault of(Throwable thrown) {
    if (users != null) {
      try {
        if (users.test(thrown)) {
          return Fault.INFRASTRUCTURE;
        }
      } catch (RuntimeException | LinkageError | StackOverflowError | AssertionError broken) {
        log.error(
            "The predicate for infrastructure faults threw for {}; the failure is taken for the"
                + " request's own, so it uses an attempt. Correct the predicate.",
            thrown.getClass().getName(),
            broken);
        return Fault.MESSAGE;
      }
    }
    // Bounded, so a chain that bites its tail ends too.
    Throwable cause = thrown;
    for (int depth = 0; cause != null && depth < LONGEST_CHAIN; depth++) {
      if (isInfrastructure(cause)) {
        return Fault.INFRASTRUCTURE;
      }
      cause = cause.getCause();
    }
    return Fault.MESSAGE;
  }

  private static boolean isInfrastructure(Throwable cause) {
    // A class that isn't there, or failed to initialise: a bad deployment, the same for all.
    if (cause instanceof LinkageError
        || cause instanceof InboxException
        || cause instanceof ConnectException
        || cause instanceof NoRouteToHostException
        || cause instanceof PortUnreachableException
        || cause instanceof UnknownHostException
        || cause instanceof UnresolvedAddressException
        || cause instanceof SocketTimeoutException) {
      return true;
    }
    boolean sql = false;
    for (Class<?> type = cause.getClass();
        type != null && type != Throwable.class;
        type = type.getSuperclass()) {
      if (NAMES.contains(type.getName())) {
        return true;
      }
      sql |= type.getName().equals(SQL_EXCEPTION);
    }
    return sql && Sql.isInfrastructure(cause);
  }

  /** Apart, so that {@code java.sql} is looked for only once one of its exceptions is at hand. */
  private static final class Sql {

    static boolean isInfrastructure(Throwable exception) {
      String state = ((java.sql.SQLException) exception).getSQLState();
      if (state == null || state.length() < 2) {
        return false;
      }
      return switch (state.substring(0, 2)) {
        case "08" -> true; // connection
        case "53" -> true; // out of memory, disk or connections
        case "58" -> true; // system error, outside of the database
        // Shut down, crashed, starting up. Not 57014, a statement cancelled for its own slowness.
        case "57" -> state.startsWith("57P0") && !state.equals("57P04") && !state.equals("57P05");
        // Serialization failure, deadlock: the statement was right, and another run of it will do.
        case "40" -> state.equals("40001") || state.equals("40P01");
        case "25" -> state.equals("25006"); // read only: the failover isn't through
        default -> false;
      };
    }
  }
}
