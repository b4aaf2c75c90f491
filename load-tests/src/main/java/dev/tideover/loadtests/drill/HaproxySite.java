package dev.tideover.loadtests.drill;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.Child;
import dev.tideover.loadtests.bench.Processes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** HAProxy before instances with an HTTP server; its runtime API is what switches there. */
final class HaproxySite extends Site {

  private static final int COMMAND_MILLIS = 5_000;
  private static final Duration LOOK_AGAIN = Duration.ofMillis(100);

  /** What the release's own verdict goes by: so many errors, and that share of the replies. */
  private static final long ERRORS = 5;

  private static final double ERROR_RATE = 0.02;

  /** Clients, runtime API, and then those of the instances. */
  private final List<Integer> ports;

  private final boolean twoVersions;
  private @Nullable Child haproxy;

  /** Starts it for a kind of drill; instances come later. */
  static HaproxySite start(Path root, Path directory, Kind kind)
      throws BenchException, InterruptedException {
    HaproxySite site =
        new HaproxySite(root, directory, kind == Kind.BLUE_GREEN || kind == Kind.BAD_GREEN);
    Runtime.getRuntime().addShutdownHook(new Thread(site::close, "end-of-haproxy"));
    try {
      site.startHaproxy(kind);
      return site;
    } catch (BenchException | InterruptedException | RuntimeException e) {
      site.close();
      throw e;
    }
  }

  private HaproxySite(Path root, Path directory, boolean twoVersions) throws BenchException {
    super(root, directory);
    this.ports = Processes.freePorts(6);
    this.twoVersions = twoVersions;
  }

  private void startHaproxy(Kind kind) throws BenchException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                "env",
                "DRILL_CLIENTS=127.0.0.1:" + ports.get(0),
                "DRILL_ADMIN=127.0.0.1:" + ports.get(1),
                // There is no hold: so that requests are kept as long as they can be while all
                // instances are away, none is ever taken for dead, and each connection is tried
                // again 30 times, once a second.
                "DRILL_FALL=" + (kind == Kind.HOLD ? 100_000 : 1),
                "DRILL_BALANCE=" + (kind == Kind.HOLD ? "uri" : "leastconn"),
                "DRILL_REDISPATCH=" + (kind == Kind.HOLD ? 0 : 1)));
    for (int i = 1; i <= 4; i++) {
      command.add("DRILL_INSTANCE_" + i + "=127.0.0.1:" + ports.get(1 + i));
    }
    String file = twoVersions ? "drill-blue-green.cfg" : "drill-rolling.cfg";
    command.addAll(
        List.of("haproxy", "-db", "-f", root.resolve("deploy/haproxy/" + file).toString()));
    Child child = processes.start("haproxy", command);
    haproxy = child;
    // It says nothing when it is ready: its runtime API answers then.
    long until = System.nanoTime() + START_BOUND.toNanos();
    while (true) {
      try {
        ask("show info");
        return;
      } catch (IOException notYet) {
        if (child.endsWithin(LOOK_AGAIN) || System.nanoTime() > until) {
          throw child.failed("can't be reached: " + notYet.getMessage());
        }
      }
    }
  }

  @Override
  String name() {
    return "HAProxy";
  }

  @Override
  int clients() {
    return ports.get(0);
  }

  /** What comes in an instance's place has its port. */
  @Override
  List<String> service(String version, int number) {
    int index = 1 + number + (twoVersions && version.equals(NEW) ? 2 : 0);
    return List.of(
        "dev.tideover.demo.DrillHttpService", "--port", Integer.toString(ports.get(index)));
  }

  /** Until the servers that have been started are up for HAProxy. */
  @Override
  void isUp() throws BenchException, InterruptedException {
    awaitUp(twoVersions ? "blue" : "s", twoVersions ? 2 : 3);
  }

  private void awaitUp(String prefix, int servers) throws BenchException, InterruptedException {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (up(prefix) < servers) {
      if (System.nanoTime() > until) {
        throw new BenchException(
            "HAProxy sees no " + servers + " servers up whose name begins with " + prefix + ".");
      }
      pause();
    }
  }

  /** Until it is worth looking again; the end of HAProxy is worth it at once. */
  private void pause() throws BenchException, InterruptedException {
    Child child = haproxy;
    if (child != null && child.endsWithin(LOOK_AGAIN)) {
      throw child.failed("ended by itself");
    }
  }

  private long up(String prefix) throws BenchException {
    return rows().stream()
        .filter(row -> row.get(0).equals("orders") && row.get(1).startsWith(prefix))
        .filter(row -> row.get(column("status")).startsWith("UP"))
        .count();
  }

  @Override
  void blueGreen(Traffic traffic, Facts facts) throws BenchException, InterruptedException {
    List<Instance> blue = startAll(OLD, 2, null);
    isUp();
    traffic.warmUp();
    startAll(NEW, 2, null);
    activateGreen(facts);
    traffic.awaitSent(VERIFY);
    facts.onlyVersion = NEW;
    facts.onlyFrom = traffic.sent();
    for (Instance each : blue) {
      stop(each, facts);
    }
    traffic.awaitSent(CALM);
  }

  /** Green gets all new requests as soon as one of it is up; blue finishes its own. */
  private void activateGreen(Facts facts) throws BenchException, InterruptedException {
    command("set server orders/green1 state ready");
    command("set server orders/green2 state ready");
    awaitUp("green", 2);
    facts.say("green is ready, and so is what is active");
  }

  /**
   * HAProxy itself takes a server away whose connections fail or whose answers don't come; the
   * robot that watches the share of errors is this, and no slower than Tideover's.
   */
  @Override
  void badGreen(Bad bad, Traffic traffic, Facts facts) throws BenchException, InterruptedException {
    startAll(OLD, 2, null);
    isUp();
    traffic.warmUp();
    try (Supervisor supervisor = new Supervisor(this, startAll(NEW, 2, bad), bad)) {
      supervisor.start();
      activateGreen(facts);
      long began = System.nanoTime();
      long until = began + VERIFY.toNanos();
      boolean good = true;
      while (good && System.nanoTime() < until) {
        pause();
        good = up("green") > 0 && !hasErrors();
      }
      command("set server orders/green1 state maint");
      command("set server orders/green2 state maint");
      facts.onlyVersion = OLD;
      facts.onlyFrom = traffic.sent();
      facts.figures.put(
          "switchedBackAfterMs", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began));
      facts.say(
          String.format(
              Locale.ROOT,
              "blue is active again after %.1f s",
              TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began) / 1e3));
      traffic.awaitSent(CALM.multipliedBy(2));
    }
  }

  private boolean hasErrors() throws BenchException {
    long errors = 0;
    long good = 0;
    for (List<String> row : rows()) {
      if (row.get(1).startsWith("green")) {
        errors += number(row.get(column("hrsp_5xx")));
        good += number(row.get(column("hrsp_2xx")));
      }
    }
    return errors >= ERRORS && errors > ERROR_RATE * (errors + good);
  }

  private static long number(String text) {
    return text.isEmpty() ? 0 : Long.parseLong(text);
  }

  /** There is no such thing, so the instances are stopped and started again. */
  @Override
  void hold(Duration length, Traffic traffic, Facts facts)
      throws BenchException, InterruptedException {
    List<Instance> all = startAll(OLD, 3, null);
    isUp();
    traffic.warmUp();
    for (Instance each : all) {
      stop(each, facts);
    }
    facts.heldFrom = System.currentTimeMillis();
    traffic.awaitSent(length);
    facts.heldUntil = System.currentTimeMillis();
    startAll(OLD, 3, null);
    facts.say("the instances are back");
    traffic.awaitSent(CALM);
  }

  private void command(String command) throws BenchException {
    try {
      String answer = ask(command);
      if (!answer.isBlank()) {
        throw new BenchException("HAProxy says to '" + command + "': " + answer.strip());
      }
    } catch (IOException e) {
      throw new BenchException("HAProxy doesn't take '" + command + "': " + e.getMessage(), e);
    }
  }

  private List<List<String>> rows() throws BenchException {
    try {
      return ask("show stat")
          .lines()
          .filter(line -> !line.startsWith("#") && !line.isBlank())
          .map(line -> List.of(line.split(",", -1)))
          .toList();
    } catch (IOException e) {
      throw new BenchException("HAProxy doesn't tell its figures: " + e.getMessage(), e);
    }
  }

  /** Of {@code show stat}; the first columns are the same in all versions. */
  private static int column(String name) {
    return switch (name) {
      case "status" -> 17;
      case "hrsp_2xx" -> 40;
      case "hrsp_5xx" -> 43;
      default -> throw new IllegalArgumentException(name);
    };
  }

  /** One command, one connection: that is how the runtime API works. */
  private String ask(String command) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), ports.get(1))) {
      socket.setSoTimeout(COMMAND_MILLIS);
      socket.getOutputStream().write((command + "\n").getBytes(StandardCharsets.UTF_8));
      socket.shutdownOutput();
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
