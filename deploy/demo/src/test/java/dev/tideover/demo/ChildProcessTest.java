package dev.tideover.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** With real processes and real signals. */
@Timeout(60)
class ChildProcessTest {
  @TempDir Path directory;

  private final CompletableFuture<DemoException> unexpectedEnd = new CompletableFuture<>();

  /** Says so and waits; says so again when it is asked to end. */
  static final class Waits {
    public static void main(String[] args) throws InterruptedException {
      Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("ENDING")));
      System.out.println("WAITING " + args[0]);
      new CountDownLatch(1).await();
    }
  }

  /** Fails at once, with something to say. */
  static final class Fails {
    public static void main(String[] args) {
      System.err.println("no disk, no luck");
      System.exit(3);
    }
  }

  /** Hangs in its shutdown, as a broken program would. */
  static final class NeverEnds {
    public static void main(String[] args) throws InterruptedException {
      Runtime.getRuntime().addShutdownHook(new Thread(NeverEnds::hang));
      System.out.println("WAITING");
      new CountDownLatch(1).await();
    }

    private static void hang() {
      try {
        new CountDownLatch(1).await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** A demo of its own: starts a child, says its pid, and waits to be killed. */
  static final class Parent {
    public static void main(String[] args) throws Exception {
      ChildProcess child =
          ChildProcess.start(
              program(Class.forName(args[1]), "x"), Path.of(args[0]), unexpected -> {});
      child.line("WAITING").get(30, TimeUnit.SECONDS);
      System.out.println(child.pid());
      new CountDownLatch(1).await();
    }
  }

  @Test
  void anAwaitedLineIsAnEvent() throws Exception {
    ChildProcess child = start(Waits.class, "for you");
    try {
      assertThat(child.line("WAITING").get(30, TimeUnit.SECONDS)).isEqualTo("WAITING for you");
    } finally {
      child.end(Duration.ofSeconds(10));
    }
  }

  @Test
  void aStopLetsTheChildEndByItselfAndIsNotUnexpected() throws Exception {
    ChildProcess child = start(Waits.class, "x");
    child.line("WAITING").get(30, TimeUnit.SECONDS);

    child.stop();

    assertThat(child.exitCode().get(20, TimeUnit.SECONDS)).isEqualTo(143);
    assertThat(child.line("ENDING").get(20, TimeUnit.SECONDS)).isEqualTo("ENDING");
    assertThat(unexpectedEnd).isNotDone();
  }

  @Test
  void aKillGivesTheChildNoWord() throws Exception {
    ChildProcess child = start(Waits.class, "x");
    child.line("WAITING").get(30, TimeUnit.SECONDS);

    child.kill();

    assertThat(child.exitCode().get(20, TimeUnit.SECONDS)).isEqualTo(137);
    assertThat(child.line("ENDING")).isNotDone();
  }

  @Test
  void anUnexpectedEndIsToldWithTheEndOfTheLog() throws Exception {
    start(Fails.class);

    assertThat(unexpectedEnd.get(30, TimeUnit.SECONDS))
        .hasMessageContaining("The test program ended unexpectedly with exit code 3")
        .hasMessageContaining("no disk, no luck")
        .hasMessageContaining(directory.toString());
  }

  @Test
  void aChildThatHangsInItsShutdownIsKilled() throws Exception {
    ChildProcess child = start(NeverEnds.class);
    child.line("WAITING").get(30, TimeUnit.SECONDS);

    child.end(Duration.ofMillis(500));

    assertThat(child.exitCode().get(20, TimeUnit.SECONDS)).isEqualTo(137);
  }

  @Test
  void aKilledParentLeavesNoChildBehind() throws Exception {
    assertThatChildEndsWithItsKilledParent(Waits.class);
  }

  @Test
  void aKilledParentLeavesNotEvenAChildThatHangsInItsShutdown() throws Exception {
    assertThatChildEndsWithItsKilledParent(NeverEnds.class);
  }

  private void assertThatChildEndsWithItsKilledParent(Class<?> child) throws Exception {
    Process parent =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Parent.class.getName(),
                directory.toString(),
                child.getName())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (var output =
        new BufferedReader(
            new InputStreamReader(parent.getInputStream(), StandardCharsets.UTF_8))) {
      ProcessHandle orphan = ProcessHandle.of(Long.parseLong(output.readLine())).orElseThrow();
      assertThat(orphan.isAlive()).isTrue();

      parent.destroyForcibly();

      assertThat(orphan.onExit().get(20, TimeUnit.SECONDS).isAlive()).isFalse();
    } finally {
      parent.destroyForcibly();
    }
  }

  private ChildProcess start(Class<?> main, String... arguments) throws Exception {
    return ChildProcess.start(program(main, arguments), directory, unexpectedEnd::complete);
  }

  private static ChildProcess.Program program(Class<?> main, String... arguments) {
    return new ChildProcess.Program(
        "test program",
        main.getName(),
        List.of("-XX:TieredStopAtLevel=1"),
        List.of(arguments),
        List.of("WAITING", "ENDING"));
  }
}
