package dev.tideover.gateway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.ConfigChange;
import dev.tideover.gateway.config.ConfigException;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.KafkaUnavailableException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigWatchTest {

  private static final String ONE = "services: { one: { routes: [ { path: /one } ] } }\n";
  private static final String TWO = "services: { two: { routes: [ { path: /two } ] } }\n";
  private static final String BAD = "services: { two: { routes: [ { paht: /two } ] } }\n";

  private static final Duration LOOK = Duration.ofMillis(20);

  @TempDir Path directory;
  private Path file;
  private final Recorder gateway = new Recorder();
  private ConfigWatch watch;

  @BeforeEach
  void startWithOne() throws IOException {
    file = Files.writeString(directory.resolve("gateway.yaml"), ONE);
    watch = new ConfigWatch(file, ONE, name -> null, gateway, LOOK);
    watch.start();
  }

  @AfterEach
  void stop() {
    watch.close();
  }

  @Test
  void loadsAFileThatIsRenamedIntoPlace() throws Exception {
    replace(TWO);

    assertThat(gateway.loaded()).isEqualTo("two");
    await().until(() -> gateway.problems.equals(List.of("none")));
  }

  @Test
  void aSymbolicLinkThatIsPointedElsewhereIsFollowed() throws Exception {
    // As Kubernetes mounts a ConfigMap: the file is a link through a directory that is a link.
    Path first = Files.createDirectory(directory.resolve("first"));
    Path second = Files.createDirectory(directory.resolve("second"));
    Files.writeString(first.resolve("gateway.yaml"), ONE);
    Files.writeString(second.resolve("gateway.yaml"), TWO);
    Path data = Files.createSymbolicLink(directory.resolve("data"), first);
    Path mounted =
        Files.createSymbolicLink(directory.resolve("mounted.yaml"), data.resolve("gateway.yaml"));
    Recorder follower = new Recorder();
    try (ConfigWatch links = new ConfigWatch(mounted, ONE, name -> null, follower, LOOK)) {
      links.start();

      Path swap = Files.createSymbolicLink(directory.resolve("swap"), second);
      Files.move(swap, data, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);

      assertThat(follower.loaded()).isEqualTo("two");
    }
  }

  @Test
  void aBadContentIsToldOnceAndTheGoodOneBehindItClearsIt() throws Exception {
    replace(BAD);
    await().until(() -> !gateway.problems.isEmpty());
    assertThat(gateway.problems)
        .singleElement()
        .asString()
        .contains(file.toString(), "not in use", "services.two.routes[0].paht: unknown key");

    replace(TWO);

    assertThat(gateway.loaded()).isEqualTo("two");
    await().until(() -> gateway.problems.size() == 2);
    assertThat(gateway.problems.get(1)).isEqualTo("none");
  }

  @Test
  void aFileThatIsGoneIsToldAndItsReturnIsNoticed() throws Exception {
    Files.delete(file);
    await().until(() -> gateway.problems.size() == 1);
    assertThat(gateway.problems.get(0)).contains("there is no such file");

    replace(ONE);

    assertThat(gateway.loaded()).isEqualTo("one");
    await().until(() -> gateway.problems.size() == 2);
    assertThat(gateway.problems.get(1)).isEqualTo("none");
  }

  @Test
  void whatTheGatewayRefusesIsTold() throws Exception {
    gateway.failure = new ConfigException("http.port", "only a restart can change it");

    replace(TWO);

    await().until(() -> gateway.problems.size() == 1);
    assertThat(gateway.problems.get(0)).contains("http.port: only a restart can change it");
  }

  @Test
  void onRequestTheSameContentIsLoadedAgain() throws Exception {
    gateway.failure = new KafkaUnavailableException("no broker answered", null);
    replace(TWO);
    await().until(() -> gateway.problems.size() == 1);
    gateway.failure = null;

    watch.reloadNow();

    assertThat(gateway.loaded()).isEqualTo("two");
  }

  @Test
  void aFileThatIsStillBeingWrittenIsNotLoaded() throws Exception {
    // By hand, so that no look falls between two writes but where it is meant to.
    Recorder slow = new Recorder();
    try (ConfigWatch byHand = new ConfigWatch(file, ONE, name -> null, slow, LOOK)) {
      for (int i = 1; i <= 20; i++) {
        Files.writeString(file, TWO.replace("/two", "/two" + "o".repeat(i)));
        byHand.turn(false);
      }
      assertThat(slow.configs).isEmpty();
      byHand.turn(false);
      assertThat(slow.loaded()).isEqualTo("two");
    }
  }

  @Test
  void aFaultInLoadingIsReportedAndDoesNotEndTheWatch() throws Exception {
    for (Throwable fault :
        List.of(new IllegalStateException("a fault"), new StackOverflowError("a fault"))) {
      gateway.problems.clear();
      gateway.failure = fault;
      replace(TWO);
      await().until(() -> gateway.problems.toString().contains("could not be loaded"));

      gateway.failure = null;
      replace(ONE);
      assertThat(gateway.loaded()).isEqualTo("one");
      await().until(() -> gateway.problems.contains("none"));
    }
  }

  /**
   * In one step, as editors do: otherwise a look could fall between the emptying and the writing.
   */
  private void replace(String text) throws IOException {
    Path beside = Files.writeString(directory.resolve("beside"), text);
    Files.move(beside, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
  }

  /** What a gateway would be told. */
  private static final class Recorder implements ConfigWatch.Target {

    private final BlockingQueue<GatewayConfig> configs = new LinkedBlockingQueue<>();
    private final List<String> problems = new CopyOnWriteArrayList<>();
    private volatile @Nullable Throwable failure;

    @Override
    public ConfigChange reload(GatewayConfig config) {
      Throwable thrown = failure;
      if (thrown instanceof RuntimeException exception) {
        throw exception;
      } else if (thrown instanceof Error error) {
        throw error;
      }
      configs.add(config);
      return ConfigChange.between(config, config);
    }

    @Override
    public void configProblem(@Nullable String problem) {
      problems.add(problem == null ? "none" : problem);
    }

    /** The one service of the next configuration. */
    String loaded() throws InterruptedException {
      GatewayConfig config = configs.poll(20, TimeUnit.SECONDS);
      assertThat(config).as("loaded within 20 s").isNotNull();
      return config.services().keySet().iterator().next();
    }
  }
}
