package dev.tideover.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Future;
import io.vertx.core.Handler;
import io.vertx.core.http.HttpConnection;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ConnectionsTest {

  private static final long LIMIT = Connections.LIMIT.toNanos();

  private long now = Long.MAX_VALUE - LIMIT / 2; // it overflows on the way
  private final Connections idle = new Connections(() -> now);
  private final List<String> closed = new ArrayList<>();
  private final Map<HttpConnection, Handler<Void>> closeHandlers = new HashMap<>();

  @Test
  void closesThoseThatNobodyHasUsedForTheLimit() {
    HttpConnection silent = opened("silent");
    HttpConnection used = opened("used");
    HttpConnection gone = opened("gone");
    closeHandlers.get(gone).handle(null);
    now += LIMIT - 1;
    idle.check();
    assertThat(closed).isEmpty();

    idle.used(used);
    now += 1;
    idle.check();
    assertThat(closed).containsExactly("silent");

    opened("new");
    now += LIMIT - 1;
    idle.check();
    assertThat(closed).containsExactly("silent", "used");
    assertThat(silent).isNotSameAs(used);
  }

  @Test
  void whatIsClosedIsForgotten() {
    HttpConnection gone = opened("gone");
    closeHandlers.get(gone).handle(null);
    idle.used(gone);
    now += 2 * LIMIT;

    idle.check();

    assertThat(closed).isEmpty();
  }

  @Test
  void oneThatHasHadItsLastAnswerIsKnownUntilItIsClosed() {
    HttpConnection last = opened("last");
    HttpConnection other = opened("other");

    idle.end(last);
    assertThat(idle.isEnded(last)).isTrue();
    assertThat(idle.isEnded(other)).isFalse();

    closeHandlers.get(last).handle(null);
    assertThat(idle.isEnded(last)).isFalse();
    // A late word of one that is closed already must not stay for ever.
    idle.end(last);
    assertThat(idle.isEnded(last)).isFalse();
  }

  private HttpConnection opened(String name) {
    HttpConnection[] self = new HttpConnection[1];
    self[0] =
        (HttpConnection)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {HttpConnection.class},
                (proxy, method, arguments) ->
                    switch (method.getName()) {
                      case "hashCode" -> name.hashCode();
                      case "equals" -> proxy == arguments[0];
                      case "toString" -> name;
                      case "closeHandler" -> {
                        @SuppressWarnings("unchecked")
                        Handler<Void> handler = (Handler<Void>) arguments[0];
                        closeHandlers.put(self[0], handler);
                        yield proxy;
                      }
                      case "close" -> {
                        closed.add(name);
                        closeHandlers.get(self[0]).handle(null);
                        yield Future.succeededFuture();
                      }
                      default -> throw new UnsupportedOperationException(method.getName());
                    });
    idle.opened(self[0]);
    return self[0];
  }
}
