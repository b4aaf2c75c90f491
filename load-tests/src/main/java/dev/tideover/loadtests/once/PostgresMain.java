package dev.tideover.loadtests.once;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * PostgreSQL's process: takes a data directory, which is made where it is missing, and a port;
 * prints {@code READY}, and stops with its input, so that the database never outlives who started
 * it. The line {@code immediate} stops it as a crash would: no checkpoint, open connections cut.
 */
public final class PostgresMain {

  /** Begins the line that says that it takes connections. */
  public static final String READY = "READY";

  /** The line that crashes it. */
  public static final String IMMEDIATE = "immediate";

  /** Runs until the input ends. */
  public static void main(String[] args) throws IOException, InterruptedException {
    Path data = Path.of(args[0]);
    EmbeddedPostgres postgres =
        EmbeddedPostgres.builder()
            .setDataDirectory(new File(args[0]))
            .setCleanDataDirectory(false)
            .setPort(Integer.parseInt(args[1]))
            // Off by default there: a crash would take back what was committed.
            .setServerConfig("synchronous_commit", "on")
            .start();
    System.out.println(READY);
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String line = lines.readLine();
    if (IMMEDIATE.equals(line)) {
      long pid = Long.parseLong(Files.readAllLines(data.resolve("postmaster.pid")).get(0).strip());
      new ProcessBuilder("sh", "-c", "kill -QUIT \"$0\"", Long.toString(pid))
          .inheritIO()
          .start()
          .waitFor();
      ProcessHandle.of(pid).ifPresent(server -> server.onExit().join());
      // Its shutdown hook would stop whoever is there by then.
      Runtime.getRuntime().halt(0);
    }
    postgres.close();
  }

  private PostgresMain() {}
}
