package dev.tideover.sdk.jdbc;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;

/** A data source that sees how its connections come back, and can be told to fail. */
final class Watched {

  private final DataSource real;
  private final boolean autoCommit;
  private final AtomicInteger open = new AtomicInteger();
  private final AtomicInteger taken = new AtomicInteger();
  private final List<String> wrong = new CopyOnWriteArrayList<>();

  /** The method of a connection that fails, with the connection lost. */
  volatile String failing = "";

  Watched(DataSource real, boolean autoCommit) {
    this.real = real;
    this.autoCommit = autoCommit;
  }

  DataSource dataSource() {
    return (DataSource)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {DataSource.class},
            (proxy, method, arguments) -> {
              if (!method.getName().equals("getConnection")) {
                throw new AssertionError("unexpected: " + method);
              }
              if (failing.equals("getConnection")) {
                throw new SQLException("no connection", "08001");
              }
              Connection connection = real.getConnection();
              connection.setAutoCommit(autoCommit);
              taken.incrementAndGet();
              open.incrementAndGet();
              return watch(connection);
            });
  }

  private Connection watch(Connection connection) throws SQLException {
    int isolation = connection.getTransactionIsolation();
    int timeout = connection.getNetworkTimeout();
    if (!autoCommit) {
      connection.rollback(); // to ask for the level has begun a transaction
    }
    return (Connection)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {Connection.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals(failing)) {
                connection.abort(Runnable::run);
                throw new SQLException("the connection is lost", "08006");
              }
              if (method.getName().equals("close")) {
                open.decrementAndGet();
                if (!connection.isClosed()) {
                  check("autocommit", connection.getAutoCommit() == autoCommit);
                  check("timeout", connection.getNetworkTimeout() == timeout);
                  check("level", connection.getTransactionIsolation() == isolation);
                }
              }
              try {
                return method.invoke(connection, arguments);
              } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
              }
            });
  }

  private void check(String what, boolean right) {
    if (!right) {
      wrong.add(what);
    }
  }

  int open() {
    return open.get();
  }

  int taken() {
    return taken.get();
  }

  /** What wasn't restored. */
  List<String> wrong() {
    return wrong;
  }
}
