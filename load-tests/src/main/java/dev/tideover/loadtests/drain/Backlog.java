package dev.tideover.loadtests.drain;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.Child;
import dev.tideover.loadtests.bench.Processes;
import dev.tideover.loadtests.contender.Contender;
import dev.tideover.loadtests.contender.Job;
import dev.tideover.testkit.TestKafka;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The SDK drains a large backlog with a small heap. Several times in each tenth of the way a full
 * collection is asked for, and what it leaves is the live set; the JVM's own log of collections
 * says how much that was. Owned by one thread.
 */
final class Backlog {

  private static final int SLICES = 10;
  private static final int COLLECTIONS_PER_SLICE = 4;
  private static final int BODY_BYTES = 1_024;
  private static final int JCMD_SECONDS = 30;

  private final Processes processes;
  private final Path root;
  private final PrintStream out;

  Backlog(Processes processes, Path root, PrintStream out) {
    this.processes = processes;
    this.root = root;
    this.out = out;
  }

  /**
   * What came of it.
   *
   * @param liveMib the highest live set in each tenth of the way
   * @param peakMib the highest heap that any collection, asked for or not, left
   */
  record Result(
      int records,
      int heapMib,
      List<Integer> liveMib,
      int peakMib,
      double perSecond,
      int lost,
      int duplicates) {

    /** A quarter, or 8 MiB, is what a moment's work makes of difference; a leak makes more. */
    boolean isFlat() {
      int early = Collections.max(liveMib.subList(0, SLICES / 2));
      int late = Collections.max(liveMib.subList(SLICES / 2, SLICES));
      return late <= Math.max(early * 1.25, early + 8);
    }

    boolean isGood() {
      return isFlat() && lost == 0 && duplicates == 0;
    }

    void print(PrintStream out) {
      out.printf(
          Locale.ROOT,
          "%,d requests of 1 KiB in a heap of %d MiB: %,.0f/s with %d full collections on the"
              + " way%nHighest live set in each tenth, MiB: %s%nHighest heap after any collection:"
              + " %d MiB%nWithout a reply: %d, replies too many: %d%n%s%n",
          records,
          heapMib,
          perSecond,
          SLICES * COLLECTIONS_PER_SLICE,
          liveMib,
          peakMib,
          lost,
          duplicates,
          isFlat() ? "Flat." : "NOT FLAT: the second half needs more than the first.");
    }

    String toJson() {
      return new JsonObject()
              .put("name", "backlog")
              .put("records", records)
              .put("heapMib", heapMib)
              .put("liveMib", new JsonArray(liveMib))
              .put("peakMib", peakMib)
              .put("perSecond", Math.round(perSecond))
              .put("lost", lost)
              .put("duplicates", duplicates)
              .put("flat", isFlat())
              .encodePrettily()
          + "\n";
    }
  }

  /** Asks for full collections at even distances on the way. */
  private static final class Sampler {
    private final Child process;
    private final CollectionLog log;
    private final long records;
    private long next;

    Sampler(Child process, CollectionLog log, long records) {
      this.process = process;
      this.log = log;
      this.records = records;
    }

    void at(long replies) throws BenchException, InterruptedException {
      if (replies > next) {
        long step = records / (SLICES * COLLECTIONS_PER_SLICE);
        next = (replies / step + 1) * step;
        collect();
        log.read((int) Math.min(SLICES - 1, replies * SLICES / records));
      }
    }

    private void collect() throws BenchException, InterruptedException {
      Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
      try {
        Process asked =
            new ProcessBuilder(jcmd.toString(), Long.toString(process.pid()), "GC.run")
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        if (!asked.waitFor(JCMD_SECONDS, TimeUnit.SECONDS)) {
          asked.destroyForcibly();
          throw process.failed("did not collect its garbage in " + JCMD_SECONDS + " s");
        }
      } catch (IOException e) {
        throw new BenchException(
            "The live set can't be seen without jcmd, which a JDK has and a runtime has not: "
                + e.getMessage(),
            e);
      }
    }
  }

  /**
   * Runs it.
   *
   * @throws BenchException if the SDK's process ends on the way, for lack of memory for example
   */
  Result run(int records, int heapMib) throws BenchException, InterruptedException, IOException {
    out.println("Starting the broker and writing " + records + " requests ...");
    try (TestKafka kafka = TestKafka.at(DrainBench.startBroker(processes))) {
      Preload preload = Preload.write(kafka, "backlog", records, BODY_BYTES, Keys.NONE);
      String replies =
          kafka.createTopic(
              preload.replyTopic(),
              DrainScenario.PARTITIONS,
              Map.of("message.timestamp.type", "LogAppendTime"));
      CollectionLog log = new CollectionLog(processes.directory().resolve("gc.log"), SLICES);
      Child process =
          processes.start(
              "backlog-tideover",
              Processes.tideoverClassPath(root),
              List.of(
                  "-Xmx" + heapMib + "m",
                  "-XX:+ExitOnOutOfMemoryError",
                  "-Xlog:gc:file=" + log.file()),
              DrainBench.SDK_MAIN,
              kafka.bootstrapServers());
      out.println("Draining ...");
      try (Tally tally =
          new Tally(kafka.bootstrapServers(), replies, preload, n -> true, n -> true)) {
        process.send(new Job("backlog", replies, DrainScenario.CONCURRENCY, 0, 0, 0).toLine());
        process.await(Contender.STARTED, DrainBench.START_BOUND);
        tally.awaitAll(process, new Sampler(process, log, records)::at);
        process.send(Contender.STOP);
        process.await(Contender.STOPPED, DrainBench.STOP_BOUND);
        tally.read();
        return new Result(
            records,
            heapMib,
            log.highestLive(),
            log.highest(),
            tally.perSecond(),
            tally.lost(),
            tally.duplicates());
      }
    }
  }
}
