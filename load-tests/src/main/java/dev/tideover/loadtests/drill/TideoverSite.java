package dev.tideover.loadtests.drill;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.Child;
import dev.tideover.loadtests.bench.Processes;
import dev.tideover.testkit.BrokerProcess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** A broker, a gateway by {@code tideover serve}, and instances with the SDK. */
final class TideoverSite extends Site {

  private static final String SERVICE = "orders";
  private static final Duration COMMAND_BOUND = Duration.ofSeconds(60);

  /** All of its steps at their longest. */
  private static final Duration RELEASE_BOUND = Duration.ofSeconds(180);

  private static final Pattern ACTIVE = Pattern.compile("\"active[A-Za-z]*\"\\s*:\\s*\"v1\"");

  /** What a hold takes to be known everywhere, far more than it should. */
  private static final long KNOWN_MILLIS = 1_000;

  private final List<Integer> ports;
  private final BrokerProcess broker;
  private final HttpClient client = HttpClient.newHttpClient();
  private int commands;

  /** Starts broker and gateway. */
  static TideoverSite start(Path root, Path directory) throws BenchException, InterruptedException {
    TideoverSite site = new TideoverSite(root, directory);
    Runtime.getRuntime().addShutdownHook(new Thread(site::close, "end-of-tideover"));
    try {
      site.startGateway();
      return site;
    } catch (BenchException | InterruptedException | RuntimeException e) {
      site.close();
      throw e;
    }
  }

  private TideoverSite(Path root, Path directory) throws BenchException {
    super(root, directory);
    this.ports = Processes.freePorts(2);
    this.broker = processes.add(BrokerProcess.start());
  }

  private void startGateway() throws BenchException, InterruptedException {
    String config =
        """
        kafka: { bootstrap-servers: "%s" }
        http: { host: 127.0.0.1, port: %d }
        admin: { host: 127.0.0.1, port: %d }
        secret: only-for-this-test-0123456789
        services:
          %s:
            routes:
              - { path: /orders/**, key: path 2, wait: 30s }
        """
            .formatted(broker.bootstrapServers(), ports.get(0), ports.get(1), SERVICE);
    try {
      Path file = Files.writeString(processes.directory().resolve("gateway.yaml"), config);
      Child gateway = tideover("gateway", "-Xmx512m", "serve", "--config", file.toString());
      gateway.await("Tideover is ready", START_BOUND);
    } catch (IOException e) {
      throw new BenchException("The gateway's configuration can't be written: " + e, e);
    }
  }

  private Child tideover(String name, String flags, String... arguments) throws BenchException {
    List<String> command =
        new ArrayList<>(
            List.of(
                "env",
                "TIDEOVER_JAVA_OPTS=-XX:+UseSerialGC -XX:TieredStopAtLevel=1 " + flags,
                root.resolve("tideover").toString()));
    command.addAll(List.of(arguments));
    return processes.start(name, command);
  }

  @Override
  String name() {
    return "Tideover";
  }

  @Override
  int clients() {
    return ports.get(0);
  }

  @Override
  List<String> service(String version, int number) {
    return List.of(
        "dev.tideover.demo.DrillService", "--bootstrap-servers", broker.bootstrapServers());
  }

  @Override
  void isUp() {
    // Requests wait for instances here, and not the other way round.
  }

  private String admin() {
    return "http://127.0.0.1:" + ports.get(1);
  }

  /** Runs a command as an operator would, and waits for its end. */
  private void command(String... arguments) throws BenchException, InterruptedException {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.addAll(List.of("--admin", admin()));
    Child child = tideover(arguments[0] + "-" + ++commands, "-Xmx128m", all.toArray(String[]::new));
    if (!child.endsWithin(COMMAND_BOUND)) {
      throw child.failed("did not end within " + COMMAND_BOUND.toSeconds() + " s");
    }
    if (child.exitCode() != 0) {
      throw child.failed("ended with exit code " + child.exitCode());
    }
  }

  @Override
  void blueGreen(Traffic traffic, Facts facts) throws BenchException, InterruptedException {
    List<Instance> blue = startAll(OLD, 2, null);
    traffic.warmUp();
    Child release = release(facts);
    startAll(NEW, 2, null);
    awaitEnd(release, 0, facts);
    facts.onlyVersion = NEW;
    facts.onlyFrom = traffic.sent();
    traffic.awaitSent(CALM);
    for (Instance each : blue) {
      stop(each, facts);
    }
    traffic.awaitSent(CALM);
  }

  @Override
  void badGreen(Bad bad, Traffic traffic, Facts facts) throws BenchException, InterruptedException {
    startAll(OLD, 2, null);
    traffic.warmUp();
    Child release = release(facts);
    try (Supervisor supervisor = new Supervisor(this, startAll(NEW, 2, bad), bad)) {
      supervisor.start();
      awaitEnd(release, 1, facts);
      facts.onlyVersion = OLD;
      facts.onlyFrom = traffic.sent();
      traffic.awaitSent(CALM.multipliedBy(2));
    }
  }

  /** Begins a release; returns when the old version is the only one that may handle requests. */
  private Child release(Facts facts) throws BenchException, InterruptedException {
    facts.say("tideover release " + SERVICE + " --to " + NEW);
    Child release =
        tideover(
            "release",
            "-Xmx128m",
            "release",
            SERVICE,
            "--to",
            NEW,
            "--instances",
            "2",
            "--verify",
            VERIFY.toSeconds() + "s",
            "--report",
            reportFile().toString(),
            "--admin",
            admin());
    long until = System.nanoTime() + COMMAND_BOUND.toNanos();
    while (!ACTIVE.matcher(state()).find()) {
      if (release.endsWithin(Duration.ofMillis(100))) {
        throw release.failed("ended with exit code " + release.exitCode() + " at once");
      }
      if (System.nanoTime() > until) {
        throw new BenchException(
            "The old version isn't pinned within "
                + COMMAND_BOUND.toSeconds()
                + " s; the service's state: "
                + state());
      }
    }
    return release;
  }

  private Path reportFile() {
    return processes.directory().resolve("report.json");
  }

  private void awaitEnd(Child release, int expected, Facts facts)
      throws BenchException, InterruptedException {
    if (!release.endsWithin(RELEASE_BOUND)) {
      throw release.failed("did not end within " + RELEASE_BOUND.toSeconds() + " s");
    }
    facts.figures.put("releaseExitCode", (long) release.exitCode());
    if (release.exitCode() != expected) {
      BenchException how =
          release.failed("ended with exit code " + release.exitCode() + ", not " + expected);
      facts.problem(String.valueOf(how.getMessage()));
    } else {
      facts.say("release ended with exit code " + expected);
    }
    try {
      facts.report = Files.readString(reportFile());
    } catch (IOException e) {
      facts.problem("The release left no report: " + e);
    }
  }

  /** What the gateway says of the service. */
  private String state() throws InterruptedException {
    try {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(admin() + "/api/services/" + SERVICE))
              .timeout(Duration.ofSeconds(5))
              .build();
      return client.send(request, HttpResponse.BodyHandlers.ofString()).body();
    } catch (IOException notNow) {
      return notNow.toString();
    }
  }

  @Override
  void hold(Duration length, Traffic traffic, Facts facts)
      throws BenchException, InterruptedException {
    startAll(OLD, 2, null);
    traffic.warmUp();
    command("hold", SERVICE);
    facts.heldFrom = System.currentTimeMillis() + KNOWN_MILLIS;
    facts.say("held");
    traffic.awaitSent(length);
    facts.heldUntil = System.currentTimeMillis();
    command("resume", SERVICE);
    facts.say("resumed");
    traffic.awaitSent(CALM);
  }
}
