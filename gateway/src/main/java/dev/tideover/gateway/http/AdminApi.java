package dev.tideover.gateway.http;

import dev.tideover.gateway.release.Operations;
import dev.tideover.gateway.release.Operations.Result;
import dev.tideover.gateway.release.ReleaseOrder;
import dev.tideover.gateway.release.ReleaseReport;
import dev.tideover.wire.DesiredState;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The operators' API (docs/openapi.yaml): from a call to what is to be answered. Knows nothing of
 * connections; may read for a moment, so its methods are not for an event loop. Safe for any
 * thread.
 */
final class AdminApi {

  private static final Logger LOG = LoggerFactory.getLogger(AdminApi.class);

  private static final String SERVICES = "/api/services";
  private static final int MAX_RATE = 1_000_000;

  /**
   * A request, read.
   *
   * @param service the name in the path; empty where there is none
   * @param id the release that is asked for; null for the last
   * @param from who asks, for the log
   */
  record Call(String service, @Nullable String id, byte[] body, String from) {}

  /** What is to be answered: JSON. */
  record Reply(int status, @Nullable String location, byte[] body) {
    Reply(int status, @Nullable String location, Documents.Members members) {
      this(status, location, Documents.bytes(members));
    }
  }

  private interface Handler {
    CompletionStage<Reply> handle(AdminApi api, Call call);
  }

  /**
   * What can be asked.
   *
   * @param path with {@code {name}} for the service
   */
  record Operation(String method, String path, boolean hasBody, boolean hasId, Handler handler) {}

  private static final List<Operation> OPERATIONS =
      List.of(
          new Operation("GET", SERVICES, false, false, AdminApi::list),
          new Operation("GET", SERVICES + "/{name}", false, false, AdminApi::show),
          new Operation(
              "POST", SERVICES + "/{name}/hold", true, false, (api, call) -> api.hold(call, true)),
          new Operation(
              "POST",
              SERVICES + "/{name}/resume",
              true,
              false,
              (api, call) -> api.hold(call, false)),
          new Operation("PUT", SERVICES + "/{name}/rate", true, false, AdminApi::rate),
          new Operation("GET", SERVICES + "/{name}/release", false, true, AdminApi::report),
          new Operation("POST", SERVICES + "/{name}/release", true, false, AdminApi::release),
          new Operation("DELETE", SERVICES + "/{name}/release", false, false, AdminApi::rollBack));

  private final Operations operations;
  private final Function<String, @Nullable ServiceLoad> load;

  AdminApi(Operations operations, Function<String, @Nullable ServiceLoad> load) {
    this.operations = operations;
    this.load = load;
  }

  /** All that there are: method, space, path. */
  static List<String> operations() {
    return OPERATIONS.stream().map(each -> each.method() + " " + each.path()).toList();
  }

  /** An operation and the service that it is about; the name is empty where it is about none. */
  record Match(Operation operation, String service) {}

  /** Finds what is asked for, or throws a 404 or 405. HEAD is a GET whose body isn't sent. */
  static Match match(String method, String path) {
    String wanted = method.equals("HEAD") ? "GET" : method;
    Map<String, Match> byMethod = new LinkedHashMap<>();
    for (Operation operation : OPERATIONS) {
      String name = nameIn(operation.path(), path);
      if (name != null) {
        byMethod.put(operation.method(), new Match(operation, name));
      }
    }
    if (byMethod.isEmpty()) {
      throw AdminProblem.noSuchPath(
          "The operators' API has no such path; it begins at " + SERVICES + ".");
    }
    Match match = byMethod.get(wanted);
    if (match == null) {
      String allowed = String.join(", ", byMethod.keySet());
      throw AdminProblem.method(
          method, byMethod.containsKey("GET") ? allowed.replace("GET", "GET, HEAD") : allowed);
    }
    return match;
  }

  /** The service's name where the path is one of the template, otherwise null. */
  private static @Nullable String nameIn(String template, String path) {
    int hole = template.indexOf("{name}");
    if (hole < 0) {
      return path.equals(template) ? "" : null;
    }
    String before = template.substring(0, hole);
    String after = template.substring(hole + "{name}".length());
    if (path.length() <= before.length() + after.length()
        || !path.startsWith(before)
        || !path.endsWith(after)) {
      return null;
    }
    String name = path.substring(before.length(), path.length() - after.length());
    return name.contains("/") ? null : name;
  }

  /** Does it. Throws, or fails with, an {@link AdminProblem} for what can't be done. */
  CompletionStage<Reply> handle(Operation operation, Call call) {
    return operation.handler().handle(this, call);
  }

  private CompletionStage<Reply> list(Call call) {
    List<Operations.ServiceState> states =
        operations.services().stream().map(operations::state).filter(Objects::nonNull).toList();
    return done(
        new Reply(
            200,
            null,
            json -> {
              json.writeArrayFieldStart("services");
              for (Operations.ServiceState state : states) {
                json.writeStartObject();
                AdminDocuments.service(json, state, null, load.apply(state.service()));
                json.writeEndObject();
              }
              json.writeEndArray();
            }));
  }

  private CompletionStage<Reply> show(Call call) {
    return done(service(200, null, call.service(), null));
  }

  private CompletionStage<Reply> hold(Call call, boolean held) {
    var unused = new AdminBody(call.body(), List.of());
    say(call, held ? "to be held" : "to be resumed");
    return operations
        .hold(call.service(), held)
        .thenApply(result -> service(200, null, call.service(), accepted(call, result)));
  }

  private CompletionStage<Reply> rate(Call call) {
    AdminBody body = new AdminBody(call.body(), List.of("perSecond"));
    if (!body.has("perSecond")) {
      throw AdminProblem.badRequest(
          "perSecond: missing, expected a whole number from 1, or null for no limit.");
    }
    int rate = body.integer("perSecond", 0);
    if (rate < 0 || rate > MAX_RATE || rate == 0 && body.isGiven("perSecond")) {
      throw AdminProblem.badRequest(
          "perSecond: found "
              + rate
              + ", expected 1 to "
              + MAX_RATE
              + ", or null for no limit. To let nothing start, hold the service.");
    }
    say(call, rate == 0 ? "to start without a limit" : "to start at most " + rate + " a second");
    return operations
        .rate(call.service(), rate)
        .thenApply(result -> service(200, null, call.service(), accepted(call, result)));
  }

  private CompletionStage<Reply> release(Call call) {
    AdminBody body =
        new AdminBody(
            call.body(),
            List.of("to", "from", "prepare", "maxHold", "verify", "instances", "anyVersion"));
    if (body.isTrue("anyVersion")) {
      for (String other : List.of("to", "from", "prepare", "maxHold", "verify", "instances")) {
        if (body.isGiven(other)) {
          throw AdminProblem.badRequest(
              other + ": says how to release one version, and anyVersion is for all of them.");
        }
      }
      say(call, "to let every version work");
      return operations
          .anyVersion(call.service())
          .thenApply(result -> service(200, null, call.service(), accepted(call, result)));
    }
    ReleaseOrder order = order(body);
    say(call, "to be released to " + order.to());
    return operations
        .release(call.service(), order)
        .thenApply(result -> begun(call, accepted(call, result)));
  }

  private static ReleaseOrder order(AdminBody body) {
    String to = body.string("to");
    if (to == null) {
      throw AdminProblem.badRequest(
          "to: missing, expected the version that is to be active, such as {\"to\": \"v2\"}.");
    }
    try {
      return new ReleaseOrder(
          to,
          body.string("from"),
          body.duration("prepare", ReleaseOrder.PREPARE),
          body.duration("maxHold", ReleaseOrder.MAX_HOLD),
          body.duration("verify", ReleaseOrder.VERIFY),
          body.integer("instances", 1));
    } catch (IllegalArgumentException e) {
      throw AdminProblem.badRequest(e.getMessage() + ".");
    }
  }

  private CompletionStage<Reply> rollBack(Call call) {
    say(call, "to be rolled back");
    return operations
        .rollBack(call.service())
        .thenApply(result -> begun(call, accepted(call, result)));
  }

  private CompletionStage<Reply> report(Call call) {
    known(call.service());
    ReleaseReport report = operations.report(call.service(), call.id());
    if (report == null) {
      throw new AdminProblem(
          404,
          "no-release",
          "There is no such release",
          call.id() == null
              ? "This gateway knows of no release of " + call.service() + "."
              : "This gateway knows of no release of "
                  + call.service()
                  + " with that id; another one may.");
    }
    return done(new Reply(200, null, json -> ReleaseDocument.write(json, report)));
  }

  private Reply begun(Call call, DesiredState state) {
    DesiredState.Release release = state.release();
    String path = SERVICES + "/" + call.service() + "/release";
    return service(
        202, release == null ? path : path + "?id=" + release.id(), call.service(), state);
  }

  private Reply service(
      int status, @Nullable String location, String name, @Nullable DesiredState newer) {
    Operations.ServiceState state = known(name);
    return new Reply(
        status,
        location,
        json -> AdminDocuments.service(json, state, newer, load.apply(state.service())));
  }

  private Operations.ServiceState known(String service) {
    Operations.ServiceState state = operations.state(service);
    if (state == null) {
      throw noSuchService(service);
    }
    return state;
  }

  private AdminProblem noSuchService(String service) {
    SortedSet<String> names = operations.services();
    String list = names.stream().limit(20).collect(Collectors.joining(", "));
    return new AdminProblem(
        404,
        "no-such-service",
        "There is no such service",
        "This gateway's configuration has no service \""
            + (service.length() <= 100 ? service : service.substring(0, 100) + "...")
            + "\"; it has "
            + list
            + (names.size() > 20 ? " and " + (names.size() - 20) + " more." : "."));
  }

  private DesiredState accepted(Call call, Result result) {
    if (result instanceof Result.Accepted accepted) {
      return accepted.state();
    }
    if (result instanceof Result.Refused refused) {
      LOG.info("Refused for {}: {}", call.service(), refused.reason());
      throw new AdminProblem(
          409, refused.code(), "It can't be done as things stand", refused.reason());
    }
    if (result instanceof Result.Unavailable unavailable) {
      throw AdminProblem.unavailable(
          "outcome-unknown", "It isn't known whether it is done", unavailable.reason());
    }
    throw noSuchService(call.service());
  }

  /** Before it is done, so that what was asked for is in the log whatever comes of it. */
  private void say(Call call, String what) {
    if (operations.services().contains(call.service())) {
      LOG.info("An operator at {} asks for {} {}", call.from(), call.service(), what);
    }
  }

  private static CompletionStage<Reply> done(Reply reply) {
    return CompletableFuture.completedFuture(reply);
  }
}
