package dev.tideover.examples;

import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Tideover;
import java.util.concurrent.CountDownLatch;

/** A whole service. */
public final class Hello {
  public static void main(String[] args) throws InterruptedException {
    var consumer =
        Tideover.service("app")
            .version("v1")
            .instance("app-1") // the same after a restart, so that it goes on at once
            .bootstrapServers("localhost:9092")
            .handler(request -> Outcome.reply(200).text("Hello from v1: " + request.path() + "\n"))
            .start();
    Runtime.getRuntime().addShutdownHook(new Thread(consumer::close)); // finishes what it began
    new CountDownLatch(1).await();
  }
}
