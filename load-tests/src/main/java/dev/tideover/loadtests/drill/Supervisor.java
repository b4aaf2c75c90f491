package dev.tideover.loadtests.drill;

import dev.tideover.loadtests.bench.BenchException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Starts what has crashed again, a second later, until it is closed. */
final class Supervisor implements AutoCloseable {

  private static final int MOST_RESTARTS = 100;

  private final Site site;
  private final List<Site.Instance> instances;
  private final Bad bad;
  private final CountDownLatch over = new CountDownLatch(1);
  private final Thread thread = new Thread(this::run, "supervisor");

  Supervisor(Site site, List<Site.Instance> instances, Bad bad) {
    this.site = site;
    this.instances = new ArrayList<>(instances);
    this.bad = bad;
  }

  void start() {
    if (bad.restarted) {
      thread.start();
    }
  }

  private void run() {
    try {
      for (int restarts = 0; restarts < MOST_RESTARTS; ) {
        if (over.await(1, TimeUnit.SECONDS)) {
          return;
        }
        for (int i = 0; i < instances.size(); i++) {
          Site.Instance old = instances.get(i);
          if (!old.child.isAlive()) {
            instances.set(i, site.begin(old.version, old.number, bad));
            restarts++;
          }
        }
      }
    } catch (BenchException e) {
      System.err.println("What has crashed isn't started again: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() throws BenchException {
    over.countDown();
    try {
      thread.join(TimeUnit.SECONDS.toMillis(10));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
