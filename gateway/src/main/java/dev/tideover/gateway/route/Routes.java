package dev.tideover.gateway.route;

import dev.tideover.gateway.config.ConfigException;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.config.GatewayConfig.OrderingKey;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** All routes, the most specific first. Immutable. */
public final class Routes {

  /** What a look-up found. */
  public sealed interface Match {
    /** The route that takes the request. */
    record Found(Route route) implements Match {}

    /** No route has such a path. */
    record NoPath() implements Match {}

    /** Routes have the path but none takes the method. */
    record NoMethod(Set<String> allowed) implements Match {}
  }

  private static final Match NO_PATH = new Match.NoPath();

  private final List<Route> bySpecificity;

  private Routes(List<Route> routes) {
    this.bySpecificity = List.copyOf(routes);
  }

  /**
   * The routes of a configuration.
   *
   * @throws ConfigException for a pattern that can't be read or a key that its paths can't have
   */
  public static Routes of(GatewayConfig config) {
    List<String> problems = new ArrayList<>();
    List<Route> routes = new ArrayList<>();
    for (GatewayConfig.Service service : config.services().values()) {
      for (GatewayConfig.Route route : service.routes()) {
        try {
          PathPattern pattern = PathPattern.parse(route.path());
          checkKey(route, pattern, problems);
          routes.add(
              new Route(
                  service.name(),
                  service.requestTopic(),
                  service.topic().partitions(),
                  pattern,
                  route.methods(),
                  route.key(),
                  route.patience(),
                  route.late(),
                  route.lateIsSet(),
                  route.maxBody(),
                  service.limits().waiting(),
                  route.idempotency(),
                  route.concurrent(),
                  route.caller(),
                  service.name() + "/" + pattern));
        } catch (IllegalArgumentException e) {
          problems.add(route.where() + ".path: found \"" + route.path() + "\": " + e.getMessage());
        }
      }
    }
    if (!problems.isEmpty()) {
      throw new ConfigException(problems);
    }
    // Between equal patterns the one that names its methods comes before the one for all of them.
    routes.sort(
        Comparator.comparing(Route::path).thenComparing(route -> route.methods().isEmpty()));
    return new Routes(routes);
  }

  private static void checkKey(
      GatewayConfig.Route route, PathPattern pattern, List<String> problems) {
    OrderingKey key = route.key();
    if (key.source() == OrderingKey.Source.PATH
        && !pattern.endsOpen()
        && !pattern.alwaysHas(key.segment())) {
      problems.add(
          route.where()
              + ".key: found \"path "
              + key.segment()
              + "\", but "
              + route.path()
              + " has only "
              + pattern.segments().size()
              + " segments");
    }
  }

  /** The most specific route that takes the request. Linear in the number of routes. */
  public Match match(String method, RequestTarget target) {
    List<String> path = target.segments();
    Set<String> allowed = null;
    for (Route route : bySpecificity) {
      if (route.path().matches(path)) {
        if (route.takes(method)) {
          return new Match.Found(route);
        }
        allowed = allowed == null ? new TreeSet<>() : allowed;
        allowed.addAll(route.methods());
      }
    }
    return allowed == null ? NO_PATH : new Match.NoMethod(allowed);
  }
}
