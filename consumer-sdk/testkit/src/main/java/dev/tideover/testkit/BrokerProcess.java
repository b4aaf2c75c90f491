package dev.tideover.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A Kafka broker as a process of its own (this JVM's java and class path), which a test may kill,
 * freeze and start again on the same port and data. It ends with this JVM at the latest: it watches
 * its standard input, whose other end is here. Safe for any thread.
 */
public final class BrokerProcess implements AutoCloseable {

  private static final int MAX_START_SECONDS = 60;
  private static final int MAX_STOP_SECONDS = 20;
  private static final int PORT_ATTEMPTS = 20;

  private final int port;
  private final Path data;
  private final boolean temporary;
  private final KafkaBroker.Builder settings;

  private Child child;
  private boolean closed;

  private BrokerProcess(
      int port, Path data, boolean temporary, KafkaBroker.Builder settings, Child child) {
    this.port = port;
    this.data = data;
    this.temporary = temporary;
    this.settings = settings;
    this.child = child;
  }

  /**
   * Starts a broker on a free port with temporary data, and returns when it is ready. {@link
   * KafkaBroker.Builder#startProcess} is the way to more choice.
   *
   * @throws BrokerException if it can't; the message has the process's last output
   */
  public static BrokerProcess start() {
    return start(KafkaBroker.builder());
  }

  static BrokerProcess start(KafkaBroker.Builder builder) {
    Path chosen = builder.dataDirectory();
    Path data = chosen == null ? temporaryDirectory() : chosen.toAbsolutePath();
    KafkaBroker.Builder settings = builder.copy();
    try {
      int port = builder.port();
      for (int attempt = 1; ; attempt++) {
        int candidate = port == 0 ? freePort() : port;
        try {
          Child child = Child.start(candidate, data, settings);
          return new BrokerProcess(candidate, data, chosen == null, settings, child);
        } catch (BrokerException e) {
          // Somebody may have taken the port between our look and the broker's start.
          if (port != 0 || attempt == PORT_ATTEMPTS || isFree(candidate)) {
            throw e;
          }
        }
      }
    } catch (BrokerException e) {
      if (chosen == null) {
        DataDirectory.delete(data);
      }
      throw e;
    }
  }

  /** What a client's {@code bootstrap.servers} needs; the same after a restart. */
  public String bootstrapServers() {
    return "127.0.0.1:" + port;
  }

  /** The port that it listens on; the same after a restart. */
  public int port() {
    return port;
  }

  /** Where the data is; if it is temporary, {@link #close} removes it. */
  public Path dataDirectory() {
    return data;
  }

  /** The operating system's number for the process, another after each restart. */
  public synchronized long pid() {
    return child.process.pid();
  }

  /** Whether the process runs; a frozen one does. */
  public synchronized boolean isAlive() {
    return child.process.isAlive();
  }

  /** Its last lines on standard output and error, at most 200. */
  public synchronized String output() {
    return child.output();
  }

  /** Ends it by SIGKILL: no warning, no last write. Returns when it is dead. */
  public synchronized void kill() {
    child.process.destroyForcibly();
    child.awaitDeath();
  }

  /**
   * Stops it in its tracks by SIGSTOP: its sockets stay open and nobody answers. Returns when it
   * stands still.
   */
  public synchronized void freeze() {
    child.signal("STOP");
    child.awaitStopped();
  }

  /** Lets a frozen broker go on, by SIGCONT. */
  public synchronized void thaw() {
    child.signal("CONT");
  }

  /**
   * Starts it again on the same port and data, after an orderly stop if it still runs. Returns when
   * it is ready.
   *
   * @throws BrokerException if it can't; the message has the process's last output
   */
  public synchronized void restart() {
    if (closed) {
      throw new BrokerException("This broker has been closed; start another one.");
    }
    child.stop();
    child = Child.start(port, data, settings);
  }

  /** Stops it in an orderly way, by SIGKILL if that takes more than 20 s. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    child.stop();
    if (temporary) {
      DataDirectory.delete(data);
    }
  }

  private static Path temporaryDirectory() {
    try {
      return DataDirectory.createTemporary();
    } catch (IOException e) {
      throw new BrokerException("No temporary directory for the broker: " + e.getMessage(), e);
    }
  }

  /**
   * A free port below those that systems give to outgoing connections: while the broker is dead,
   * one of the clients' own attempts to reconnect could otherwise get its port.
   */
  static int freePort() {
    for (int attempt = 0; attempt < 1_000; attempt++) {
      int candidate = ThreadLocalRandom.current().nextInt(12_000, 30_000);
      if (isFree(candidate)) {
        return candidate;
      }
    }
    throw new BrokerException("No free port from 12000 to 30000 for the broker in 1000 attempts.");
  }

  private static boolean isFree(int port) {
    try (ServerSocket probe = new ServerSocket()) {
      probe.setReuseAddress(true);
      probe.bind(new InetSocketAddress(InetAddress.getByAddress(KafkaBroker.LOOPBACK), port));
      return true;
    } catch (IOException taken) {
      return false;
    }
  }

  /** One life of the process. */
  private static final class Child {

    private static final int KEPT_LINES = 200;

    final Process process;
    private final CompletableFuture<String> ready = new CompletableFuture<>();

    /** Guarded by itself; written by the reader thread. */
    private final ArrayDeque<String> lines = new ArrayDeque<>();

    private final Thread reader;

    private Child(Process process) {
      this.process = process;
      this.reader = new Thread(this::read, "broker-output-" + process.pid());
      reader.setDaemon(true);
      reader.start();
    }

    static Child start(int port, Path data, KafkaBroker.Builder settings) {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.add("-Xmx512m");
      command.add("-XX:+UseSerialGC");
      // Half the CPU time to be ready; slower under full load, which is no test's business.
      command.add("-XX:TieredStopAtLevel=1");
      command.addAll(settings.jvmOptions());
      command.add("-cp");
      command.add(System.getProperty("java.class.path"));
      command.add(BrokerCommand.class.getName());
      command.add("--port=" + port);
      command.add("--data=" + data);
      command.add("--until-stdin-closes");
      if (settings.dataDirectory() == null) {
        command.add("--remove-data-then");
      }
      KafkaBroker.Node node = settings.node();
      command.add("--node-id=" + node.id());
      command.add("--controller-port=" + node.controllerPort());
      if (node.clusterId() != null) {
        command.add("--cluster-id=" + node.clusterId());
      }
      settings
          .properties()
          .forEach((name, value) -> command.add("--property=" + name + "=" + value));
      Child child;
      try {
        child = new Child(new ProcessBuilder(command).redirectErrorStream(true).start());
      } catch (IOException e) {
        throw new BrokerException("The broker's process can't be started: " + e.getMessage(), e);
      }
      try {
        child.awaitReady();
      } catch (BrokerException e) {
        child.process.destroyForcibly();
        child.awaitDeath();
        throw e;
      }
      return child;
    }

    private void read() {
      try (BufferedReader in =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        for (String line = in.readLine(); line != null; line = in.readLine()) {
          synchronized (lines) {
            if (lines.size() == KEPT_LINES) {
              lines.removeFirst();
            }
            lines.addLast(line);
          }
          if (line.startsWith(BrokerCommand.READY)) {
            ready.complete(line);
          }
        }
      } catch (IOException closed) {
        // As good as the end.
      } finally {
        ready.completeExceptionally(new IOException("the process ended"));
      }
    }

    String output() {
      synchronized (lines) {
        return String.join(System.lineSeparator(), lines);
      }
    }

    private void awaitReady() {
      try {
        ready.get(MAX_START_SECONDS, TimeUnit.SECONDS);
      } catch (ExecutionException | TimeoutException e) {
        String how =
            e instanceof TimeoutException
                ? "was not ready after " + MAX_START_SECONDS + " s"
                : "ended before it was ready";
        throw new BrokerException("The broker's process " + how + ". It said:\n" + output(), e);
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
    }

    void stop() {
      if (process.isAlive()) {
        process.destroy();
        signal("CONT");
        if (!diesWithin(MAX_STOP_SECONDS)) {
          process.destroyForcibly();
        }
      }
      awaitDeath();
    }

    void awaitDeath() {
      if (!diesWithin(MAX_STOP_SECONDS)) {
        throw new BrokerException("Process " + process.pid() + " survives SIGKILL.");
      }
      try {
        // So that the output is complete.
        reader.join(TimeUnit.SECONDS.toMillis(MAX_STOP_SECONDS));
        process.getOutputStream().close();
      } catch (InterruptedException e) {
        throw interrupted(e);
      } catch (IOException deadAnyway) {
        // Nothing was to be written there.
      }
    }

    private boolean diesWithin(int seconds) {
      try {
        return process.waitFor(seconds, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
    }

    /** By the shell's own kill, since slim systems have no other. */
    void signal(String name) {
      try {
        Process kill =
            new ProcessBuilder(
                    "sh", "-c", "kill -" + name + " \"$0\"", Long.toString(process.pid()))
                .redirectErrorStream(true)
                .start();
        kill.getOutputStream().close();
        boolean sent = kill.waitFor(MAX_STOP_SECONDS, TimeUnit.SECONDS) && kill.exitValue() == 0;
        if (!sent && process.isAlive()) {
          kill.destroyForcibly();
          throw new BrokerException("SIG" + name + " could not be sent to " + process.pid() + ".");
        }
      } catch (IOException e) {
        throw new BrokerException(
            "SIG" + name + " could not be sent: this needs a POSIX shell (" + e.getMessage() + ")",
            e);
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
    }

    /** SIGSTOP is only on its way when kill returns; where there is a /proc, see it arrive. */
    void awaitStopped() {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(MAX_STOP_SECONDS);
      String state = state();
      while (state != null && !state.equals("T")) {
        if (System.nanoTime() > end) {
          throw new BrokerException(
              "Process " + process.pid() + " does not stand still, state " + state + ".");
        }
        Thread.onSpinWait();
        state = state();
      }
    }

    /** The third field of /proc/PID/stat; null where there is none. */
    private @Nullable String state() {
      try {
        String stat = Files.readString(Path.of("/proc", Long.toString(process.pid()), "stat"));
        // The second field, the name in parentheses, may itself have spaces.
        int afterName = stat.lastIndexOf(')') + 2;
        return stat.substring(afterName, afterName + 1);
      } catch (IOException | RuntimeException noProcFileSystem) {
        return null;
      }
    }

    private static BrokerException interrupted(InterruptedException e) {
      Thread.currentThread().interrupt();
      return new BrokerException("Interrupted while waiting for the broker's process.", e);
    }
  }
}
