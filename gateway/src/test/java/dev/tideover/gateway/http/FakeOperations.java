package dev.tideover.gateway.http;

import dev.tideover.gateway.release.Measures;
import dev.tideover.gateway.release.Operations;
import dev.tideover.gateway.release.ReleaseOrder;
import dev.tideover.gateway.release.ReleaseReport;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * Operations by hand: keeps what is wanted in memory, and takes a release as far as the test says.
 * The configured services are {@code orders} and {@code stock}.
 */
public final class FakeOperations implements Operations {

  public final Map<String, DesiredState> desired = new ConcurrentHashMap<>();
  public final Map<String, ReleaseReport> reports = new ConcurrentHashMap<>();
  public final List<Instance> instances = new CopyOnWriteArrayList<>();
  public final List<String> asked = new CopyOnWriteArrayList<>();
  public volatile @Nullable ReleaseOrder order;

  /** What each wish gets instead of what it should; null for that. */
  public volatile @Nullable Result instead;

  /** What new instances have seen. */
  public volatile long epochSeen = 1;

  /** Whether it follows all. */
  public volatile boolean current = true;

  /** Never answers. */
  public volatile boolean stuck;

  @Override
  public SortedSet<String> services() {
    return new TreeSet<>(List.of("orders", "stock"));
  }

  @Override
  public @Nullable ServiceState state(String service) {
    return services().contains(service)
        ? new ServiceState(
            service,
            desired.get(service),
            instances.stream().filter(each -> each.report().service().equals(service)).toList(),
            current,
            List.of("orders: it is <b>held</b>"))
        : null;
  }

  @Override
  public @Nullable ReleaseReport report(String service, @Nullable String id) {
    DesiredState state = desired.get(service);
    String wanted =
        id != null ? id : state == null || state.release() == null ? "" : state.release().id();
    return reports.get(wanted);
  }

  @Override
  public CompletionStage<Result> hold(String service, boolean held) {
    DesiredState last = last(service);
    return done(
        (held ? "hold " : "resume ") + service,
        next(last, last.activeVersion(), held, last.rate(), last.release()));
  }

  @Override
  public CompletionStage<Result> rate(String service, int perSecond) {
    DesiredState last = last(service);
    return done(
        "rate " + service + " " + perSecond,
        next(last, last.activeVersion(), last.held(), perSecond, last.release()));
  }

  @Override
  public CompletionStage<Result> release(String service, ReleaseOrder order) {
    this.order = order;
    DesiredState last = last(service);
    return done(
        "release " + service + " " + order.to(),
        next(
            last,
            "v1",
            last.held(),
            last.rate(),
            new Release(
                "release-" + (last.epoch() + 1),
                "v1",
                order.to(),
                Step.PREPARE,
                1_764_000_000_000L,
                0,
                order.prepare().toMillis(),
                order.maxHold().toMillis(),
                order.verify().toMillis(),
                order.instances(),
                "")));
  }

  @Override
  public CompletionStage<Result> rollBack(String service) {
    DesiredState last = last(service);
    Release release = last.release();
    return services().contains(service) && (release == null || release.step().isEnd())
        ? CompletableFuture.completedFuture(
            new Result.Refused("no-release", "There is no release of " + service + " to roll back"))
        : done(
            "roll back " + service,
            next(
                last,
                last.activeVersion(),
                last.held(),
                last.rate(),
                release == null
                    ? null
                    : release.at(Step.ROLL_BACK).because("an operator wanted it")));
  }

  @Override
  public CompletionStage<Result> anyVersion(String service) {
    DesiredState last = last(service);
    return done("any " + service, next(last, null, last.held(), last.rate(), last.release()));
  }

  /** Goes on with the release of a service, with a report of all steps so far. */
  public void step(String service, Step step, String reason) {
    DesiredState last = last(service);
    Release release = last.release().at(step).because(reason);
    desired.put(
        service,
        next(
            last,
            step == Step.ACTIVATE ? release.to() : last.activeVersion(),
            last.held(),
            last.rate(),
            release));
    report(release);
  }

  private void report(Release release) {
    List<ReleaseReport.StepTime> steps = new ArrayList<>();
    ReleaseReport before = reports.get(release.id());
    if (before != null) {
      steps.addAll(before.steps());
    }
    steps.add(new ReleaseReport.StepTime(release.step(), 1_500));
    String result =
        switch (release.step()) {
          case DONE -> "done";
          case ROLLED_BACK -> "rolled-back";
          case ABANDONED -> "abandoned";
          default -> "running";
        };
    reports.put(release.id(), report("orders", release, result, steps));
  }

  /** A report with some of everything. */
  static ReleaseReport report(
      String service, Release release, String result, List<ReleaseReport.StepTime> steps) {
    return new ReleaseReport(
        service,
        release.id(),
        release.from(),
        release.to(),
        result,
        release.reason(),
        release.began(),
        steps.size() * 1_500L,
        release.step(),
        steps,
        210,
        1_234,
        0,
        2,
        new Measures.Latency(1_000, 12.5, 40.1, 99.9),
        new Measures.Latency(210, 400.0, 1_300.0, 1_400.0),
        Measures.Latency.NONE,
        Map.of("v1", new Measures.OfVersion(1_000, 1, 0, new Measures.Latency(1_000, 5, 9, 20))),
        true,
        List.of("a note"));
  }

  private DesiredState last(String service) {
    DesiredState last = desired.get(service);
    return last == null ? new DesiredState(service, 1, "", "", 0, null, false, 0, null) : last;
  }

  private static DesiredState next(
      DesiredState last,
      @Nullable String activeVersion,
      boolean held,
      int rate,
      @Nullable Release release) {
    return new DesiredState(
        last.service(),
        last.epoch() + 1,
        "command",
        "gateway-1",
        1_764_000_000_000L,
        activeVersion,
        held,
        rate,
        release);
  }

  private CompletionStage<Result> done(String what, DesiredState next) {
    asked.add(what);
    if (stuck) {
      return new CompletableFuture<>();
    }
    Result other = instead;
    if (other != null) {
      return CompletableFuture.completedFuture(other);
    }
    if (!services().contains(next.service())) {
      return CompletableFuture.completedFuture(new Result.NoSuchService());
    }
    desired.put(next.service(), next);
    if (next.release() != null) {
      report(next.release());
    }
    return CompletableFuture.completedFuture(new Result.Accepted(next));
  }

  /** An instance that reports. */
  public void instance(String version, String name, InstanceReport.State state) {
    instances.add(
        new Instance(
            new InstanceReport(
                "orders",
                version,
                name,
                "run-1",
                state,
                epochSeen,
                4,
                new InstanceReport.Counts(1_000, 3, 0, 1, 2, 35)),
            420));
  }
}
