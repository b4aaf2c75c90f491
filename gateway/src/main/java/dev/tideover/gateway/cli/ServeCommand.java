package dev.tideover.gateway.cli;

import dev.tideover.gateway.Gateway;
import dev.tideover.gateway.config.ConfigChange;
import dev.tideover.gateway.config.ConfigException;
import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.KafkaUnavailableException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tideover serve}: runs a gateway until SIGTERM or SIGINT. */
@Command(
    name = "serve",
    description = "Run a gateway.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class ServeCommand implements Callable<Integer> {

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "The configuration, YAML or JSON (docs/configuration.md).")
  private @Nullable Path configFile;

  @Option(
      names = "--embedded",
      description =
          "Bring a Kafka broker along, in this process, at kafka.bootstrap-servers. For"
              + " development. Without --config it routes /** to a service named app.")
  private boolean embedded;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "With --embedded: where the broker keeps its data. Default: thrown away.")
  private @Nullable Path data;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    if (configFile == null && !embedded) {
      throw new CommandLine.ParameterException(
          spec.commandLine(), "Give --config FILE, or --embedded to try it without one.");
    }
    if (data != null && !embedded) {
      throw new CommandLine.ParameterException(
          spec.commandLine(), "--data belongs to --embedded: a Kafka of your own has its own.");
    }
    try (Shutdown shutdown = new Shutdown()) {
      return serve(shutdown);
    }
  }

  private int serve(Shutdown shutdown) {
    shutdown.listen();
    try {
      String text = configFile == null ? ConfigFile.EMBEDDED : ConfigFile.text(configFile);
      String name = configFile == null ? "the built-in configuration" : configFile.toString();
      GatewayConfig config = ConfigFile.parse(text, name, System::getenv);
      if (embedded) {
        shutdown.add(startKafka(config));
      }
      Gateway gateway = new Gateway(config);
      // Before its start: a stop that comes meanwhile either ends the start, or finds it running.
      shutdown.add(gateway);
      Runnable watch = configFile == null ? () -> {} : watch(configFile, text, gateway, shutdown);
      gateway.start();
      watch.run();
      announce(config, gateway);
      shutdown.await();
      return 0;
    } catch (ConfigException e) {
      return fail("The configuration can't be used:", e.problems());
    } catch (KafkaUnavailableException | Gateway.StartException | IllegalStateException e) {
      // Who was told to stop has not failed.
      return shutdown.isStopping()
          ? 0
          : fail("The gateway can't start:", List.of(String.valueOf(e.getMessage())));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return 1;
    }
  }

  /**
   * Makes the watch of the file; the result starts it. A SIGHUP that comes before that is kept.
   * With the embedded broker SIGHUP ends the process, as it should when its terminal is closed.
   */
  private Runnable watch(Path file, String text, Gateway gateway, Shutdown shutdown) {
    ConfigWatch watch =
        new ConfigWatch(file, text, System::getenv, new Reloaded(gateway), ConfigWatch.LOOK);
    shutdown.add(watch);
    if (!embedded) {
      boolean unused = Signals.handle("HUP", watch::reloadNow);
    }
    return watch::start;
  }

  private record Reloaded(Gateway gateway) implements ConfigWatch.Target {
    @Override
    public ConfigChange reload(GatewayConfig config) {
      return gateway.reload(config);
    }

    @Override
    public void configProblem(@Nullable String problem) {
      gateway.configProblem(problem);
    }
  }

  private AutoCloseable startKafka(GatewayConfig config) {
    EmbeddedKafka kafka =
        ServiceLoader.load(EmbeddedKafka.class)
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalStateException(
                        "this installation has no embedded Kafka; give --config with the"
                            + " kafka.bootstrap-servers of one that runs"));
    String servers = config.kafka().bootstrapServers();
    if (!servers.matches("(localhost|127\\.0\\.0\\.1):\\d+")) {
      throw new IllegalStateException(
          "--embedded runs its broker on this machine: kafka.bootstrap-servers must be"
              + " localhost:PORT, found "
              + servers);
    }
    return kafka.start(Integer.parseInt(servers.substring(servers.indexOf(':') + 1)), data);
  }

  private void announce(GatewayConfig config, Gateway gateway) {
    PrintWriter out = spec.commandLine().getOut();
    out.println("Tideover is ready: http://localhost:" + gateway.port());
    config
        .services()
        .forEach(
            (name, service) ->
                service
                    .routes()
                    .forEach(route -> out.println("  " + route.path() + " -> service " + name)));
    out.println("  health: http://localhost:" + gateway.adminPort() + "/health/ready");
    if (embedded) {
      out.println(
          "  Kafka for your service: "
              + config.kafka().bootstrapServers()
              + (data == null
                  ? " (its data is thrown away at the end)"
                  : " (data in " + data + ")"));
    }
    out.flush();
  }

  private int fail(String what, Iterable<String> problems) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(what);
    problems.forEach(problem -> err.println("  " + problem));
    err.flush();
    return 1;
  }
}
