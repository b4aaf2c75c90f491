package dev.tideover.demo;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import java.time.Duration;

/** Waits until a gateway's admin port says that it is ready. */
final class Readiness {
  private static final long POLL_MILLIS = 50;

  private final Vertx vertx;
  private final HttpClient http;
  private final RequestOptions question;
  private final long giveUpNanos;
  private final Promise<Void> ready = Promise.promise();

  private Readiness(Vertx vertx, int adminPort, Duration bound) {
    this.vertx = vertx;
    this.http = vertx.createHttpClient(new HttpClientOptions().setConnectTimeout(1_000));
    this.question =
        new RequestOptions()
            .setMethod(HttpMethod.GET)
            .setHost("127.0.0.1")
            .setPort(adminPort)
            .setURI("/health/ready")
            .setIdleTimeout(2_000);
    this.giveUpNanos = System.nanoTime() + bound.toNanos();
  }

  /** Completes when it answers 200; fails after the bound. */
  static Future<Void> await(Vertx vertx, int adminPort, Duration bound) {
    var readiness = new Readiness(vertx, adminPort, bound);
    readiness.ask();
    return readiness.ready.future().eventually(readiness.http::close);
  }

  private void ask() {
    http.request(question)
        .compose(request -> request.send())
        .compose(response -> response.end().map(response.statusCode()))
        .otherwise(0)
        .onSuccess(
            status -> {
              if (status == 200) {
                ready.complete();
              } else if (System.nanoTime() > giveUpNanos) {
                ready.fail("the gateway's admin port does not say that it is ready");
              } else {
                vertx.setTimer(POLL_MILLIS, id -> ask());
              }
            });
  }
}
