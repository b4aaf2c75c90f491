package dev.tideover.sdk.internal;

import static dev.tideover.sdk.internal.core.Fault.INFRASTRUCTURE;
import static dev.tideover.sdk.internal.core.Fault.MESSAGE;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpTimeoutException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.BatchUpdateException;
import java.sql.SQLException;
import java.sql.SQLIntegrityConstraintViolationException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLRecoverableException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransientConnectionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.Logger;

class FaultsTest {

  private final Faults faults = new Faults(null);

  static Stream<Throwable> infrastructure() {
    return Stream.of(
        new NoClassDefFoundError("x"),
        new ExceptionInInitializerError("x"),
        new NoSuchMethodError("x"),
        new ConnectException("refused"),
        new NoRouteToHostException(),
        new UnknownHostException("db"),
        new SocketTimeoutException(),
        new HttpConnectTimeoutException("x"),
        new HttpTimeoutException("x"),
        new SQLTransientConnectionException("pool"),
        new SQLNonTransientConnectionException("x"),
        new SQLRecoverableException("x"),
        new OfSomePool(),
        new org.apache.kafka.common.errors.TimeoutException("x"));
  }

  private static final class OfSomePool extends SQLTransientConnectionException {}

  @ParameterizedTest
  @MethodSource("infrastructure")
  void whatEveryRequestWouldMeetIsTheInfrastructures(Throwable thrown) {
    assertThat(faults.of(thrown)).isEqualTo(INFRASTRUCTURE);
    assertThat(faults.of(new IllegalStateException(new ExecutionException(thrown))))
        .isEqualTo(INFRASTRUCTURE);
  }

  static Stream<Throwable> messages() {
    return Stream.of(
        new IllegalStateException("x"),
        new NullPointerException(),
        new AssertionError("x"),
        new StackOverflowError(),
        new InterruptedException(),
        new UncheckedIOException(new EOFException()),
        new SocketException("Connection reset"),
        new ClosedByInterruptException(),
        new TimeoutException(),
        new SQLTimeoutException("statement"),
        new SQLIntegrityConstraintViolationException("x", "23505"),
        new SQLException("no state"));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void whatIsNotKnownToBeTheInfrastructuresIsTheMessages(Throwable thrown) {
    assertThat(faults.of(thrown)).isEqualTo(MESSAGE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "08000", "08006", "53300", "57P01", "57P02", "57P03", "58030", "40001", "40P01", "25006"
      })
  void theseSqlStatesAreTheInfrastructures(String state) {
    assertThat(faults.of(new SQLException("x", state))).isEqualTo(INFRASTRUCTURE);
    assertThat(faults.of(new BatchUpdateException("x", state, new int[0])))
        .isEqualTo(INFRASTRUCTURE);
  }

  @ParameterizedTest
  @ValueSource(strings = {"23505", "22001", "42P01", "57014", "40002", "25001", "", "0"})
  void otherSqlStatesAreTheMessages(String state) {
    assertThat(faults.of(new SQLException("x", state))).isEqualTo(MESSAGE);
  }

  @Test
  void whatIsSuppressedDoesNotCount() {
    Exception thrown = new IllegalStateException("x");
    thrown.addSuppressed(new ConnectException("while closing"));
    assertThat(faults.of(thrown)).isEqualTo(MESSAGE);
  }

  @Test
  void aChainOfCausesThatBitesItsTailEnds() {
    Exception head = new Exception("head");
    Exception tail = new Exception("tail", head);
    head.initCause(tail);
    assertThat(faults.of(head)).isEqualTo(MESSAGE);
  }

  @Test
  void twentyCausesAreLookedAt() {
    Throwable thrown = new ConnectException();
    for (int i = 0; i < 19; i++) {
      thrown = new RuntimeException(thrown);
    }
    assertThat(faults.of(thrown)).isEqualTo(INFRASTRUCTURE);
    assertThat(faults.of(new RuntimeException(thrown))).isEqualTo(MESSAGE);
  }

  @Test
  void theUsersPredicateKnowsMore() {
    Faults ofUser = new Faults(thrown -> thrown instanceof IllegalStateException);
    assertThat(ofUser.of(new IllegalStateException())).isEqualTo(INFRASTRUCTURE);
    assertThat(ofUser.of(new ConnectException())).isEqualTo(INFRASTRUCTURE);
    assertThat(ofUser.of(new IllegalArgumentException())).isEqualTo(MESSAGE);
  }

  @Test
  void aPredicateThatThrowsMakesItTheMessages() {
    Faults ofUser =
        new Faults(
            thrown -> {
              throw new IllegalStateException("broken");
            });
    assertThat(ofUser.of(new ConnectException())).isEqualTo(MESSAGE);
  }

  /** Many services run on an image that was made by jlink and has no {@code java.sql}. */
  @Test
  @Timeout(60)
  void worksOnAJvmWithoutSqlAndHttp() throws IOException, InterruptedException {
    String classPath =
        Stream.of(Faults.class, FaultsTest.class, Logger.class)
            .map(FaultsTest::placeOf)
            .reduce((one, other) -> one + File.pathSeparator + other)
            .orElseThrow();
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--limit-modules",
                "java.base",
                "-cp",
                classPath,
                OnBareJvm.class.getName())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(said).isEqualTo("no sql, MESSAGE, INFRASTRUCTURE");
    } finally {
      process.destroyForcibly();
    }
  }

  private static String placeOf(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    } catch (URISyntaxException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /** The program of {@link #worksOnAJvmWithoutSqlAndHttp}. */
  static final class OnBareJvm {
    public static void main(String[] args) {
      try {
        Class.forName("java.sql.SQLException");
      } catch (ClassNotFoundException absent) {
        System.out.print("no sql, ");
      }
      Faults faults = new Faults(null);
      System.out.print(faults.of(new IllegalStateException()) + ", ");
      System.out.print(faults.of(new RuntimeException(new ConnectException())));
    }
  }
}
