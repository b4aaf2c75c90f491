package dev.tideover.loadtests.once;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.Child;
import dev.tideover.loadtests.bench.Processes;
import dev.tideover.loadtests.once.History.Call;
import dev.tideover.loadtests.once.History.Effect;
import dev.tideover.loadtests.once.History.Kill;
import dev.tideover.loadtests.once.History.Loss;
import dev.tideover.loadtests.once.History.Outage;
import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.Tether;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A broker, two gateways, three instances of a service and, with the inbox, PostgreSQL, each a
 * process of its own that can be killed and started again. Targets of {@link Faults} are used by
 * its threads, one at a time for each; the rest by one thread; a shutdown hook may close it.
 */
final class OnceTestbed implements AutoCloseable {

  private static final int GATEWAYS = 2;
  private static final int INSTANCES = 3;
  private static final Duration START_BOUND = Duration.ofSeconds(75);
  private static final int START_ATTEMPTS = 5;
  private static final Duration STOP_BOUND = Duration.ofSeconds(20);
  private static final Duration WORK_BOUND = Duration.ofSeconds(20);
  private static final int LOOK_AGAIN_MILLIS = 2;
  private static final String SERVICE = "once";
  private static final String DATABASE = "postgres";
  private static final String DATA = "postgres";
  private static final Pattern DATABASE_LIBRARY =
      Pattern.compile("(postgresql|HikariCP)-[^/]*\\.jar$");

  private final Path root;
  private final Path directory;
  private final Processes processes;
  private final BrokerProcess broker;
  private final List<Gateway> gateways = new ArrayList<>();
  private final List<Instance> instances = new ArrayList<>();
  private final @Nullable Postgres postgres;
  private final List<Kill> kills = Collections.synchronizedList(new ArrayList<>());
  private final List<Outage> outages = Collections.synchronizedList(new ArrayList<>());
  private final CountDownLatch closing = new CountDownLatch(1);

  /** Starts all. */
  static OnceTestbed start(Path root, Path directory, boolean inbox)
      throws BenchException, InterruptedException {
    OnceTestbed bed = new OnceTestbed(root, directory, inbox);
    Runtime.getRuntime().addShutdownHook(new Thread(bed::close, "end-of-testbed"));
    try {
      if (bed.postgres != null) {
        bed.postgres.start();
        bed.makeTable();
      }
      for (Gateway gateway : bed.gateways) {
        gateway.start();
      }
      for (Instance instance : bed.instances) {
        instance.begin();
      }
      for (Instance instance : bed.instances) {
        instance.awaitStart();
      }
      return bed;
    } catch (BenchException | InterruptedException | RuntimeException e) {
      bed.close();
      throw e;
    }
  }

  private OnceTestbed(Path root, Path directory, boolean inbox) throws BenchException {
    this.root = root.toAbsolutePath();
    this.directory = directory;
    this.processes = new Processes(directory);
    List<Integer> ports = Processes.freePorts(2 * GATEWAYS + 1);
    this.broker = processes.add(BrokerProcess.start());
    for (int i = 0; i < GATEWAYS; i++) {
      gateways.add(new Gateway("gateway" + (i + 1), ports.get(2 * i), ports.get(2 * i + 1)));
    }
    for (int i = 0; i < INSTANCES; i++) {
      instances.add(new Instance(i + 1));
    }
    this.postgres = inbox ? new Postgres(ports.get(2 * GATEWAYS)) : null;
  }

  /** Where clients send to. */
  List<URI> clients() {
    return gateways.stream().map(each -> URI.create("http://127.0.0.1:" + each.port)).toList();
  }

  /** What is killed often. */
  List<Faults.Target> often() {
    List<Faults.Target> targets = new ArrayList<>(gateways);
    targets.addAll(instances);
    if (postgres != null) {
      targets.add(postgres);
    }
    return targets;
  }

  /** The one that everything depends on. */
  Faults.Target kafka() {
    return new Kafka();
  }

  List<Kill> kills() {
    return List.copyOf(kills);
  }

  List<Outage> outages() {
    return List.copyOf(outages);
  }

  /**
   * Ends the instances in good order, so that nothing is written any more.
   *
   * @throws BenchException if one has ended by itself: that is for people to look at
   */
  void stopInstances() throws BenchException, InterruptedException {
    for (Instance instance : instances) {
      if (!instance.child().isAlive()) {
        throw instance.child().failed("ended by itself");
      }
      instance.child().terminate();
    }
    for (Instance instance : instances) {
      if (!instance.child().endsWithin(STOP_BOUND)) {
        throw instance.child().failed("didn't end after SIGTERM");
      }
    }
  }

  /** What the instances have written, after their end. */
  List<Call> calls() throws BenchException {
    List<Call> calls = new ArrayList<>();
    for (Instance instance : instances) {
      for (String life : instance.lives) {
        calls.addAll(Journals.calls(life, journal(life)));
      }
    }
    return calls;
  }

  List<Loss> losses() throws BenchException {
    List<Loss> losses = new ArrayList<>();
    for (Instance instance : instances) {
      for (String life : instance.lives) {
        losses.addAll(Journals.losses(life, directory.resolve(life + ".err.log")));
      }
    }
    return losses;
  }

  private Path journal(String life) {
    return directory.resolve(life + ".journal");
  }

  private String jdbcUrl() {
    Postgres database = postgres;
    if (database == null) {
      throw new IllegalStateException("there is no database without the inbox");
    }
    return "jdbc:postgresql://127.0.0.1:"
        + database.port
        + "/"
        + DATABASE
        + "?user=postgres&connectTimeout=2&socketTimeout=10";
  }

  private void makeTable() throws BenchException {
    try (Connection connection = DriverManager.getConnection(jdbcUrl());
        Statement statement = connection.createStatement()) {
      // Nothing here keeps a second effect out: that is the inbox's business.
      statement.execute(
          "CREATE TABLE effects (key text NOT NULL, body text NOT NULL, call text NOT NULL)");
    } catch (SQLException e) {
      throw new BenchException("The table of the effects can't be made: " + e.getMessage(), e);
    }
  }

  /** The rows that the handlers have committed. */
  List<Effect> effects() throws BenchException {
    if (postgres == null) {
      return List.of();
    }
    try (Connection connection = DriverManager.getConnection(jdbcUrl());
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT key, body, call FROM effects")) {
      List<Effect> effects = new ArrayList<>();
      while (rows.next()) {
        effects.add(new Effect(rows.getString(1), rows.getString(2), rows.getString(3)));
      }
      // For people, beside the journals.
      Files.write(directory.resolve("effects"), effects.stream().map(Effect::toString).toList());
      return effects;
    } catch (IOException | SQLException e) {
      throw new BenchException("The effects can't be read: " + e.getMessage(), e);
    }
  }

  private Child java(String name, String classPath, String... mainAndArguments)
      throws BenchException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dlogback.configurationFile=logback-once.xml",
            "-cp",
            classPath));
    command.addAll(List.of(mainAndArguments));
    return processes.start(name, command);
  }

  /** A process that has been started, and the number of its life. */
  private abstract class Process implements Faults.Target {

    final String name;
    final List<String> lives = Collections.synchronizedList(new ArrayList<>());
    private @Nullable Child child;

    Process(String name) {
      this.name = name;
    }

    @Override
    public String name() {
      return name;
    }

    synchronized Child child() {
      Child current = child;
      if (current == null) {
        throw new IllegalStateException(name + " wasn't started");
      }
      return current;
    }

    /** Starts it, and doesn't wait. */
    void begin() throws BenchException {
      String life = name + "-" + (lives.size() + 1);
      lives.add(life);
      Child next = launch(life);
      synchronized (this) {
        child = next;
      }
    }

    abstract Child launch(String life) throws BenchException;

    abstract String readyLine();

    void awaitStart() throws BenchException, InterruptedException {
      child().await(readyLine(), START_BOUND);
    }

    /** As a process manager would: what ends before it is ready is started again. */
    @Override
    public void start() throws BenchException, InterruptedException {
      for (int attempt = 1; ; attempt++) {
        begin();
        try {
          awaitStart();
          return;
        } catch (BenchException e) {
          if (attempt == START_ATTEMPTS || child().isAlive()) {
            throw e;
          }
        }
      }
    }

    @Override
    public void kill() throws BenchException, InterruptedException {
      Child victim = child();
      if (!victim.isAlive()) {
        throw victim.failed("ended by itself");
      }
      kills.add(new Kill(lives.get(lives.size() - 1), System.currentTimeMillis()));
      victim.kill();
      if (!victim.endsWithin(STOP_BOUND)) {
        throw victim.failed("survives SIGKILL");
      }
    }
  }

  private final class Gateway extends Process {

    private final int port;
    private final int adminPort;

    Gateway(String name, int port, int adminPort) {
      super(name);
      this.port = port;
      this.adminPort = adminPort;
    }

    @Override
    Child launch(String life) throws BenchException {
      String config =
          """
          kafka: { bootstrap-servers: "%s" }
          http: { host: 127.0.0.1, port: %d }
          admin: { host: 127.0.0.1, port: %d }
          secret: only-for-this-test-0123456789
          replies: { topic: %s.replies }
          services:
            %s:
              routes:
                - { path: /plain/**, wait: 8s }
                - { path: /keyed/**, key: path 2, wait: 8s }
          """
              .formatted(broker.bootstrapServers(), port, adminPort, SERVICE, SERVICE);
      try {
        Path file = Files.writeString(directory.resolve(name + ".yaml"), config);
        return java(
            life,
            Processes.tideoverClassPath(root),
            Tether.class.getName(),
            "dev.tideover.gateway.cli.GatewayCommand",
            "serve",
            "--config",
            file.toString());
      } catch (IOException e) {
        throw new BenchException("The gateway's configuration can't be written: " + e, e);
      }
    }

    @Override
    String readyLine() {
      return "Tideover is ready";
    }
  }

  private final class Instance extends Process {

    private final int number;

    Instance(int number) {
      super("service" + number);
      this.number = number;
    }

    @Override
    Child launch(String life) throws BenchException {
      List<String> command =
          new ArrayList<>(
              List.of(
                  Tether.class.getName(),
                  "dev.tideover.demo.OnceService",
                  broker.bootstrapServers(),
                  SERVICE,
                  name,
                  life,
                  journal(life).toString()));
      if (postgres != null) {
        command.add(jdbcUrl());
      }
      // The database's driver and pool are this module's; the demo doesn't ship them.
      String classPath =
          Stream.concat(
                  Stream.of(Processes.tideoverClassPath(root)),
                  Stream.of(Processes.ownClassPath().split(File.pathSeparator))
                      .filter(each -> DATABASE_LIBRARY.matcher(each).find()))
              .collect(Collectors.joining(File.pathSeparator));
      return java(life, classPath, command.toArray(String[]::new));
    }

    @Override
    String readyLine() {
      return "STARTED";
    }

    /**
     * When it is at work, if it is soon: a kill that cuts nothing off shows nothing. Before the
     * effect and behind it in turn.
     */
    @Override
    public void kill() throws BenchException, InterruptedException {
      Path journal = journal(lives.get(lives.size() - 1));
      String what = (number + lives.size()) % 2 == 0 ? Journals.DONE : Journals.BEGAN;
      long until = System.nanoTime() + WORK_BOUND.toNanos();
      while (!Journals.isLast(what, journal) && System.nanoTime() < until) {
        if (closing.await(LOOK_AGAIN_MILLIS, TimeUnit.MILLISECONDS)) {
          return;
        }
      }
      super.kill();
    }
  }

  /** Stopped as by a crash, but in one piece: its processes share memory. */
  private final class Postgres extends Process {

    private final int port;
    private final Path data = directory.resolve(DATA);

    Postgres(int port) {
      super("postgres");
      this.port = port;
    }

    @Override
    Child launch(String life) throws BenchException {
      return java(
          life,
          Processes.ownClassPath(),
          PostgresMain.class.getName(),
          data.toString(),
          Integer.toString(port));
    }

    @Override
    String readyLine() {
      return PostgresMain.READY;
    }

    @Override
    public void kill() throws BenchException, InterruptedException {
      child().send(PostgresMain.IMMEDIATE);
      if (!child().endsWithin(STOP_BOUND)) {
        throw child().failed("didn't stop at once");
      }
    }
  }

  private final class Kafka implements Faults.Target {

    private long diedAt;

    @Override
    public String name() {
      return "broker";
    }

    @Override
    public void kill() {
      diedAt = System.currentTimeMillis();
      broker.kill();
    }

    @Override
    public void start() throws InterruptedException {
      broker.restart();
      // Its clients are back a little later.
      outages.add(new Outage(diedAt, System.currentTimeMillis() + TimeUnit.SECONDS.toMillis(3)));
    }
  }

  /** The database's files are 40 MB a run, and what counts is written down. */
  private void deleteData() {
    Path data = directory.resolve(DATA);
    if (!Files.exists(data)) {
      return;
    }
    try (Stream<Path> files = Files.walk(data)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException | UncheckedIOException e) {
      System.err.println("The database's files in " + data + " are still there: " + e);
    }
  }

  /** Ends all, the latest first. */
  @Override
  public void close() {
    closing.countDown();
    processes.close();
    deleteData();
  }
}
