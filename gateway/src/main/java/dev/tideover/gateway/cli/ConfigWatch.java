package dev.tideover.gateway.cli;

import dev.tideover.gateway.config.ConfigChange;
import dev.tideover.gateway.config.ConfigException;
import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.KafkaUnavailableException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads the configuration file again when its content has changed or somebody asks for it. Owns one
 * thread, which alone touches what it remembers.
 *
 * <p>It compares the content, not times or inodes, so it sees what editors (write beside, rename),
 * symbolic links that are pointed elsewhere, and Kubernetes do. A change counts when two looks in a
 * row have seen the same: a file that is still being written is none. Each content is judged, and
 * told of, once.
 */
final class ConfigWatch implements AutoCloseable {

  /** What takes a configuration. */
  interface Target {

    /** Takes it whole, or throws and takes nothing. */
    ConfigChange reload(GatewayConfig config);

    /** Tells operators what is wrong with the file; null for nothing. */
    void configProblem(@Nullable String problem);
  }

  private static final Logger LOG = LoggerFactory.getLogger(ConfigWatch.class);

  /** Two looks make a change, so one is noticed within two seconds. */
  static final Duration LOOK = Duration.ofSeconds(1);

  private static final Duration RETRY = Duration.ofSeconds(10);

  /** What a look found: the text, or why there is none. */
  private record Seen(String text, List<String> problems) {}

  private final Path file;
  private final UnaryOperator<@Nullable String> environment;
  private final Target target;
  private final Duration look;

  /** Of one: who asks while somebody has asked already gets the same answer. */
  private final BlockingQueue<Boolean> asked = new ArrayBlockingQueue<>(1);

  private final Thread thread = new Thread(this::run, "tideover-config");

  private Seen judged;
  private @Nullable Seen candidate;

  /** When to try again what Kafka could not do; null where nothing is to be tried. */
  private @Nullable Long retryAt;

  private volatile boolean closing;

  /**
   * A watch that is yet to be started.
   *
   * @param text what the file said when the running configuration was read from it
   */
  ConfigWatch(
      Path file,
      String text,
      UnaryOperator<@Nullable String> environment,
      Target target,
      Duration look) {
    this.file = file;
    this.judged = new Seen(text, List.of());
    this.environment = environment;
    this.target = target;
    this.look = look;
  }

  void start() {
    thread.setDaemon(true);
    thread.start();
  }

  /** Loads the file now, also where it is as before. Any thread; returns at once. */
  void reloadNow() {
    boolean unused = asked.offer(true);
  }

  private void run() {
    while (!closing) {
      try {
        Boolean now = asked.poll(look.toMillis(), TimeUnit.MILLISECONDS);
        if (!closing) {
          turn(now != null);
        }
      } catch (InterruptedException e) {
        return; // Only close() does that.
      } catch (RuntimeException | Error e) {
        // Thrown on, it would end the thread, and no change would be seen any more.
        LOG.error("BUG: looking at {} failed; it is looked at again", file, e);
      }
    }
  }

  void turn(boolean now) {
    Seen seen = look();
    if (now) {
      judge(seen);
    } else if (seen.equals(judged)) {
      candidate = null;
      if (retryAt != null && System.nanoTime() - retryAt >= 0) {
        judge(seen);
      }
    } else if (seen.equals(candidate)) {
      judge(seen);
    } else {
      candidate = seen;
    }
  }

  private Seen look() {
    try {
      return new Seen(ConfigFile.text(file), List.of());
    } catch (ConfigException e) {
      return new Seen("", e.problems());
    }
  }

  private void judge(Seen seen) {
    boolean again = seen.equals(judged) && retryAt != null;
    judged = seen;
    candidate = null;
    retryAt = null;
    try {
      if (!seen.problems().isEmpty()) {
        throw new ConfigException(seen.problems());
      }
      ConfigChange change =
          target.reload(ConfigFile.parse(seen.text(), file.toString(), environment));
      target.configProblem(null);
      LOG.info("Loaded {}: {}", file, change);
    } catch (ConfigException e) {
      refuse(e.problems(), false);
    } catch (KafkaUnavailableException e) {
      retryAt = System.nanoTime() + RETRY.toNanos();
      refuse(List.of(String.valueOf(e.getMessage())), again);
    } catch (RuntimeException | Error e) {
      target.configProblem(file + " could not be loaded; the gateway's log says why");
      throw e;
    }
  }

  private void refuse(List<String> problems, boolean again) {
    String text = String.join("; ", problems);
    target.configProblem(file + " is not in use, the configuration before it is: " + text);
    if (!again) {
      LOG.error(
          "{} can't be used, so nothing has changed; the configuration before it stays. {}",
          file,
          text);
    }
  }

  /** Stops looking; waits for a load that is under way, 2 s at most. */
  @Override
  public void close() {
    closing = true;
    reloadNow();
    try {
      thread.join(2_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
