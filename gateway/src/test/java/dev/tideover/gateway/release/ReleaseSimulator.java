package dev.tideover.gateway.release;

import dev.tideover.gateway.kafka.ControlTopic.Instance;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.InstanceReport.Counts;
import dev.tideover.wire.InstanceReport.State;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A service, its instances and gateways, in one thread and by one made-up clock, with everything
 * that can happen to them: they crash, pause, restart, and hear of things late; clocks differ by up
 * to 5 s; writes get lost, or stand without their writer knowing. The gateways are real in what
 * they decide ({@link ServiceWatch}, {@link ReleaseMachine}, {@link Commands}), the rest is a model
 * of it. Throws an {@link AssertionError} with the history when something may not be.
 */
final class ReleaseSimulator {

  static final String SERVICE = "orders";
  static final String BLUE = "v1";
  static final String GREEN = "v2";

  private static final long TICK = 50;
  private static final long EXPIRY = InstanceReport.EXPIRY_MILLIS;
  private static final long FAULTS_END = 60_000;
  private static final long GIVE_UP = 400_000;

  /** What can be broken, to show that the checks see it. */
  enum Fault {
    NONE,
    /** Writes stand whatever their epoch is. */
    NO_COMPARE_AND_SET,
    /** The new version is made active while the old one still works. */
    NO_DRAIN,
    /** The end comes whatever is held against the version on trial. */
    NO_VERDICT,
    /** Nobody takes over from a gateway that is gone. */
    NO_TAKE_OVER,
    /** The hold has no end. */
    NO_MAX_HOLD
  }

  /** An instance as it is. */
  private static final class Service {
    final String version;
    final String name;
    long born;
    boolean alive;
    boolean hangs;
    long pausedUntil;
    boolean errs;
    long epochSeen;
    @Nullable DesiredState goesBy;
    State state = State.STANDBY;
    long stateSince;
    int running;
    long runningSince;
    long handled;
    long errors;
    long errorsBefore;
    long reportedAt = -10_000;
    int incarnation;
    long delay;

    Service(String version, String name) {
      this.version = version;
      this.name = name;
    }

    InstanceReport report(long now) {
      return new InstanceReport(
          SERVICE,
          version,
          name,
          name + "-" + incarnation,
          state,
          epochSeen,
          state == State.ACTIVE ? 1 : 0,
          new Counts(handled, errors, 0, 0, running, running > 0 ? now - runningSince : 0));
    }
  }

  /** A gateway as it is. */
  private static final class Gateway {
    final String name;
    final long skew;
    final Map<String, Long> heard = new HashMap<>();
    final Map<String, InstanceReport> reports = new HashMap<>();
    final Map<String, InstanceReport> unread = new HashMap<>();
    ServiceWatch watch;
    int seen;
    boolean alive = true;
    long pausedUntil;
    long writeAt = -1;
    @Nullable DesiredState writing;
    long notBefore;

    Gateway(String name, long skew, ServiceWatch watch) {
      this.name = name;
      this.skew = skew;
      this.watch = watch;
    }
  }

  private final Random random;
  private final Fault fault;
  private final long seed;
  private final List<DesiredState> log = new ArrayList<>();
  private final List<Service> services = new ArrayList<>();
  private final List<Gateway> gateways = new ArrayList<>();
  private final List<String> history = new ArrayList<>();
  private final ReleaseOrder order;
  private final boolean greenErrs;
  private final boolean greenHangs;
  private final boolean blueHangs;
  private long now;
  private int names;
  private long holdSince = -1;
  private long goodSince = -1;

  ReleaseSimulator(long seed, Fault fault) {
    this.seed = seed;
    this.fault = fault;
    this.random = new Random(seed * 0x9E3779B97F4A7C15L + 1);
    this.greenErrs = random.nextInt(4) == 0;
    this.greenHangs = random.nextInt(6) == 0;
    this.blueHangs = random.nextInt(6) == 0;
    this.order =
        new ReleaseOrder(
            GREEN,
            null,
            Duration.ofSeconds(5 + random.nextInt(30)),
            Duration.ofSeconds(5 + random.nextInt(20)),
            Duration.ofSeconds(random.nextInt(20)),
            1 + random.nextInt(2));
  }

  /** Runs to the end of the release. */
  Step run() {
    for (int i = 0; i < 2; i++) {
      services.add(new Service(BLUE, "b" + i));
    }
    for (int i = 0; i < 2; i++) {
      services.add(new Service(GREEN, "g" + i));
    }
    services.stream().filter(s -> s.version.equals(BLUE)).forEach(this::start);
    int count = 2 + random.nextInt(2);
    for (int i = 0; i < count; i++) {
      gateways.add(gateway(random.nextInt(10_000) - 5_000L));
    }
    boolean asked = false;
    while (now < GIVE_UP) {
      now += TICK;
      boolean faults = now < FAULTS_END;
      if (now > 2_000) {
        services.stream()
            .filter(s -> !s.alive && s.version.equals(GREEN) && s.born == 0)
            .filter(s -> random.nextInt(20) == 0)
            .forEach(this::start);
      }
      if (!asked && now > 3_000) {
        asked = ask();
      }
      if (faults) {
        breakSomething(asked);
      } else {
        mend();
      }
      services.forEach(this::live);
      gateways.forEach(this::drive);
      checkHold();
      Release release = last() == null ? null : last().release();
      if (!faults && release != null && release.step().isEnd()) {
        return end(release);
      } else if (!faults && !asked) {
        asked = ask();
      }
    }
    throw fail("the release has no end");
  }

  private Step end(Release release) {
    String active = release.step() == Step.DONE ? GREEN : BLUE;
    check(active.equals(last().activeVersion()), "another version is active than its end says");
    return release.step();
  }

  // ---- instances

  private void start(Service service) {
    service.alive = true;
    service.born = now;
    service.incarnation++;
    service.state = State.STANDBY;
    service.stateSince = now;
    service.epochSeen = 0;
    service.goesBy = null;
    service.running = 0;
    service.handled = 0;
    service.errors = 0;
    service.errorsBefore = 0;
    service.hangs = false;
    service.errs = service.version.equals(GREEN) && greenErrs;
    service.delay = random.nextInt(300);
    say(service.version + "/" + service.name + " starts");
  }

  private void live(Service service) {
    if (!service.alive || service.pausedUntil > now) {
      return;
    }
    // It follows the topic, a moment late.
    DesiredState state = last();
    if (state != null && state.epoch() > service.epochSeen && random.nextInt(3) == 0) {
      service.goesBy = state;
      service.epochSeen = state.epoch();
      service.reportedAt = -10_000;
    }
    move(service);
    work(service);
    if (now - service.reportedAt >= InstanceReport.INTERVAL_MILLIS) {
      service.reportedAt = now;
      InstanceReport report = service.report(now);
      for (Gateway gateway : gateways) {
        hear(gateway, report);
      }
    }
  }

  private void move(Service service) {
    DesiredState state = service.goesBy;
    boolean active = state == null || state.isActive(service.version);
    boolean holds = state != null && state.holds();
    State next = service.state;
    if (now - service.stateSince >= service.delay) {
      if (active) {
        next =
            switch (service.state) {
              case STANDBY -> State.JOINING;
              case LEAVING -> State.STANDBY;
              case JOINING, ACTIVE, HOLDING, DRAINED ->
                  !holds ? State.ACTIVE : service.running > 0 ? State.HOLDING : State.DRAINED;
            };
      } else {
        next =
            switch (service.state) {
              case STANDBY -> State.STANDBY;
              case LEAVING -> State.STANDBY;
              default -> service.running > 0 && !service.hangs ? State.HOLDING : State.LEAVING;
            };
        if (next == State.LEAVING) {
          service.running = 0;
        }
      }
    } else if (holds && service.state == State.ACTIVE) {
      // At once: nothing starts under an epoch that holds.
      next = service.running > 0 ? State.HOLDING : State.DRAINED;
    } else if (service.state == State.HOLDING && service.running == 0) {
      next = State.DRAINED;
    }
    if (next != service.state) {
      service.state = next;
      service.stateSince = now;
      service.reportedAt = -10_000;
    }
  }

  private void work(Service service) {
    if (service.running > 0 && !service.hangs && random.nextInt(4) == 0) {
      service.handled++;
      service.errors += service.errs ? 1 : 0;
      service.running = 0;
    }
    if (service.state == State.ACTIVE && service.running == 0) {
      service.running = 1;
      service.runningSince = now;
      boolean mayHang = service.version.equals(GREEN) ? greenHangs : blueHangs;
      service.hangs = mayHang && random.nextInt(10) == 0;
    }
  }

  private void crash(Service service, boolean clean) {
    service.alive = false;
    say(service.version + "/" + service.name + (clean ? " ends" : " crashes"));
    if (clean) {
      InstanceReport last = service.report(now);
      for (Gateway gateway : gateways) {
        gateway.unread.remove(last.key());
        if (gateway.alive && gateway.reports.remove(last.key()) != null) {
          gateway.watch.onGone(last, true);
        }
      }
    }
  }

  // ---- gateways

  private Gateway gateway(long skew) {
    String name = "gw" + names++;
    return new Gateway(name, skew, watch(name));
  }

  private ServiceWatch watch(String name) {
    return new ServiceWatch(name, random.nextInt(1_000) * 1_000_000L);
  }

  private ServiceWatch.Now clock(Gateway gateway) {
    return new ServiceWatch.Now(now * 1_000_000, 1_000_000 + now + gateway.skew);
  }

  private void hear(Gateway gateway, InstanceReport report) {
    if (gateway.alive && gateway.pausedUntil > now) {
      gateway.unread.put(report.key(), report);
    } else if (gateway.alive) {
      gateway.heard.put(report.key(), now);
      gateway.reports.put(report.key(), report);
      gateway.watch.onReport(report, now * 1_000_000);
    }
  }

  private void follow(Gateway gateway) {
    boolean found = gateway.seen == 0 && !log.isEmpty() && log.size() > 1;
    while (gateway.seen < log.size()) {
      gateway.watch.onDesired(log.get(gateway.seen++), found, clock(gateway));
    }
    List<InstanceReport> unread = List.copyOf(gateway.unread.values());
    gateway.unread.clear();
    unread.forEach(report -> hear(gateway, report));
    for (String key : List.copyOf(gateway.reports.keySet())) {
      if (now - gateway.heard.get(key) > EXPIRY) {
        gateway.watch.onGone(gateway.reports.remove(key), false);
      }
    }
  }

  private void drive(Gateway gateway) {
    if (!gateway.alive || gateway.pausedUntil > now) {
      return;
    }
    if (gateway.writing != null) {
      if (now >= gateway.writeAt) {
        write(gateway, gateway.writing);
        gateway.writing = null;
      }
      return;
    }
    if (random.nextInt(3) != 0) {
      return;
    }
    follow(gateway);
    DesiredState state = gateway.watch.state();
    if (gateway.watch.asksForMembers(now * 1_000_000) && state != null) {
      gateway.watch.onMembers(state.epoch(), members());
    }
    ServiceWatch.Look look =
        gateway.watch.look(instances(gateway), ServiceWatch.Doing.UNKNOWN, true, clock(gateway));
    DesiredState next = broken(look);
    boolean mine =
        fault == Fault.NO_TAKE_OVER
            ? look.state() != null && look.state().by().equals(gateway.name)
            : look.mine() || fault == Fault.NO_DRAIN && look.state() != null;
    if (next != null && mine && now >= gateway.notBefore) {
      gateway.writing = next;
      gateway.writeAt = now + random.nextInt(400);
    }
  }

  /** What the machine wants, or what a broken one would. */
  private @Nullable DesiredState broken(ServiceWatch.Look look) {
    DesiredState next = look.next().state();
    DesiredState state = look.state();
    Release release = state == null ? null : state.release();
    if (state == null || release == null || release.step().isEnd()) {
      return next;
    }
    Author author = new Author(state.by(), now);
    if (fault == Fault.NO_DRAIN && release.step() == Step.DRAIN) {
      return author.next(state, "x", GREEN, release.at(Step.ACTIVATE));
    } else if (fault == Fault.NO_VERDICT
        && release.step() == Step.VERIFY
        && look.seen().stateMillis() >= release.verifyMillis()) {
      return author.next(state, "x", GREEN, release.at(Step.DONE));
    } else if (fault == Fault.NO_VERDICT && next != null && release.step() == Step.VERIFY) {
      return null;
    } else if (fault == Fault.NO_MAX_HOLD
        && next != null
        && (release.step() == Step.DRAIN)
        && next.release().step() == Step.ABANDONED) {
      return null;
    }
    return next;
  }

  /** As Kafka's group is: who is dead is in it until its session ends. */
  private Set<String> members() {
    Set<String> members = new TreeSet<>();
    for (Service service : services) {
      if (service.alive && service.state.isMember()) {
        members.add(service.version + "/" + service.name);
      }
    }
    return members;
  }

  private static List<Instance> instances(Gateway gateway) {
    List<Instance> instances = new ArrayList<>();
    gateway.reports.values().forEach(report -> instances.add(new Instance(report, 0)));
    return instances;
  }

  /** The end of a write: stands, or another was first, or nobody knows which. */
  private void write(Gateway gateway, DesiredState next) {
    boolean lost = now < FAULTS_END && random.nextInt(12) == 0;
    boolean untold = now < FAULTS_END && random.nextInt(12) == 0;
    if (lost) {
      gateway.notBefore = now + 1_000;
      return;
    }
    long epoch = last() == null ? 0 : last().epoch();
    if (next.epoch() != epoch + 1 && fault != Fault.NO_COMPARE_AND_SET) {
      return;
    }
    checkStep(gateway, next);
    log.add(next);
    if (next.release() != null && next.release().step() == Step.ACTIVATE) {
      services.forEach(service -> service.errorsBefore = service.errors);
    }
    say(
        gateway.name
            + " writes "
            + next.epoch()
            + " "
            + next.activeVersion()
            + (next.release() == null
                ? ""
                : " " + next.release().step() + " " + next.release().reason()));
    if (untold) {
      gateway.notBefore = now + 1_000;
    } else {
      follow(gateway);
    }
  }

  private boolean ask() {
    for (Gateway gateway : gateways) {
      if (gateway.alive && gateway.pausedUntil <= now && gateway.writing == null) {
        follow(gateway);
        return command(gateway, commands -> commands.release(order));
      }
    }
    return false;
  }

  private boolean command(Gateway gateway, Function<Commands, Commands.Decision> wish) {
    // States and reports come in one order: who knows a report of an epoch has read its state.
    follow(gateway);
    ServiceWatch.Now clock = clock(gateway);
    Commands.Decision decision =
        wish.apply(
            new Commands(
                SERVICE,
                gateway.watch.state(),
                gateway.watch.situation(instances(gateway), clock),
                new Author(gateway.name, clock.millis()),
                "command-" + names++));
    if (decision instanceof Commands.Decision.Write write) {
      write(gateway, write.next());
    }
    return decision instanceof Commands.Decision.Stands;
  }

  // ---- what goes wrong

  private void breakSomething(boolean asked) {
    if (random.nextInt(60) != 0) {
      return;
    }
    int what = random.nextInt(9);
    Gateway gateway = gateways.get(random.nextInt(gateways.size()));
    Service service = services.get(random.nextInt(services.size()));
    if (what == 0 && gateway.alive) {
      gateway.alive = false;
      gateway.writing = null;
      say(gateway.name + " crashes");
    } else if (what == 1 && !gateway.alive) {
      gateways.set(gateways.indexOf(gateway), gateway(gateway.skew));
    } else if (what == 2) {
      gateway.pausedUntil = now + random.nextInt(8_000);
      say(gateway.name + " pauses");
    } else if (what == 3 && service.alive) {
      crash(service, random.nextBoolean());
    } else if ((what == 4 || what == 5) && !service.alive && service.born > 0) {
      start(service);
    } else if (what == 6 && service.alive) {
      service.pausedUntil = now + random.nextInt(8_000);
      say(service.version + "/" + service.name + " pauses");
    } else if (what == 7 && asked && gateway.alive && gateway.pausedUntil <= now) {
      DesiredState state = gateway.watch.state();
      boolean held = state != null && state.held();
      if (gateway.writing == null) {
        boolean ignored = command(gateway, commands -> commands.hold(!held));
      }
    } else if (what == 8 && asked && random.nextInt(3) == 0 && gateway.alive) {
      if (gateway.writing == null && gateway.pausedUntil <= now) {
        boolean ignored = command(gateway, Commands::rollBack);
      }
    }
  }

  private void mend() {
    for (int i = 0; i < gateways.size(); i++) {
      if (!gateways.get(i).alive && fault != Fault.NO_TAKE_OVER) {
        gateways.set(i, gateway(0));
      }
    }
    services.stream().filter(s -> !s.alive).forEach(this::start);
    DesiredState state = last();
    Gateway first = gateways.get(0);
    if (state != null && state.held() && first.alive && first.pausedUntil <= now) {
      follow(first);
      boolean ignored = command(first, commands -> commands.hold(false));
    }
  }

  // ---- what may not be

  private void checkStep(Gateway gateway, DesiredState next) {
    DesiredState before = last();
    check(next.epoch() == (before == null ? 1 : before.epoch() + 1), "two states of one epoch");
    Release release = next.release();
    Release last = before == null ? null : before.release();
    if (release == null || last == null || !last.id().equals(release.id())) {
      return;
    }
    String old = last.step() == Step.ROLL_BACK ? GREEN : BLUE;
    boolean switches = !Objects.equals(before.activeVersion(), next.activeVersion());
    check(
        !switches
            || last.step() == Step.DRAIN && release.step() == Step.ACTIVATE
            || last.step() == Step.ROLL_BACK && release.step() == Step.RESTORE,
        "the active version changes from " + last.step() + " to " + release.step());
    if (switches && last.step() == Step.DRAIN) {
      for (Service service : services) {
        // Who is not heard, or wasn't, may be dead: Kafka's group keeps it from doing harm.
        boolean heard =
            gateway.reports.containsKey(service.report(now).key())
                && service.pausedUntil < now - EXPIRY - 1_000;
        check(
            !(service.alive && heard && service.version.equals(old) && service.running > 0),
            service.name + " still works when the other version is made active");
      }
    }
    if (release.step() == Step.DONE && last.step() == Step.VERIFY) {
      boolean blue =
          services.stream()
              .anyMatch(
                  s ->
                      s.version.equals(BLUE)
                          && s.alive
                          && now - s.born > 10_000
                          && s.pausedUntil < now - 8_000);
      boolean failing =
          services.stream()
              .anyMatch(s -> s.version.equals(GREEN) && s.alive && s.errors - s.errorsBefore > 20);
      boolean hanging =
          services.stream()
              .anyMatch(
                  s ->
                      s.version.equals(GREEN)
                          && s.alive
                          && s.hangs
                          && s.running > 0
                          && now - s.runningSince > Verification.HANGS_UNKNOWN_MILLIS + 2_000);
      check(!blue || !failing && !hanging, "it is done though the new version fails");
    }
  }

  /** While somebody lives who could end it, a release's hold ends in time. */
  private void checkHold() {
    DesiredState state = last();
    Release release = state == null ? null : state.release();
    boolean holds =
        release != null
            && !state.held()
            && (release.step() == Step.DRAIN || release.step() == Step.ROLL_BACK);
    boolean good =
        gateways.stream().anyMatch(g -> g.alive && g.pausedUntil <= now)
            && services.stream().anyMatch(s -> s.alive && s.pausedUntil <= now);
    holdSince = !holds ? -1 : holdSince < 0 ? now : holdSince;
    goodSince = !good ? -1 : goodSince < 0 ? now : goodSince;
    if (holdSince < 0 || goodSince < 0) {
      return;
    }
    long since = Math.max(holdSince, goodSince);
    // Each of two steps can be taken over late, and its write be lost a few times.
    long slack = 20_000;
    check(
        now - since <= release.maxHoldMillis() + ReleaseMachine.ROLL_BACK_MILLIS + slack,
        "held for " + (now - since) + " ms");
  }

  private @Nullable DesiredState last() {
    return log.isEmpty() ? null : log.get(log.size() - 1);
  }

  private void say(String what) {
    history.add(now + " " + what);
  }

  private void check(boolean good, String problem) {
    if (!good) {
      throw fail(problem);
    }
  }

  private AssertionError fail(String problem) {
    return new AssertionError(
        "seed " + seed + " at " + now + ": " + problem + "\n" + String.join("\n", history));
  }
}
