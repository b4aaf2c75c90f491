package dev.tideover.testkit;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.stream.Stream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.metadata.storage.Formatter;
import org.jspecify.annotations.Nullable;

/**
 * The directory of one broker, held exclusively from {@code open} to {@code close}: formatted on
 * first use, found again as it was left on the next, and removed at the end if it is temporary.
 *
 * <p>The lock is ours because Kafka's own comes too late: in combined mode the controller writes to
 * the metadata log before the broker locks the directory. The operating system drops it with the
 * process, so a killed broker leaves no stale lock.
 */
final class DataDirectory implements AutoCloseable {

  private static final String LOCK_FILE = ".tideover.lock";

  /** Written last by the formatter: a directory with it is complete. */
  private static final String FORMATTED = "meta.properties";

  /** Written by the broker at the end of an orderly stop, removed when it starts. */
  private static final String STOPPED_CLEANLY = ".kafka_cleanshutdown";

  private final Path path;
  private final boolean temporary;
  private final boolean killed;
  private final FileChannel lock;

  private DataDirectory(Path path, boolean temporary, boolean killed, FileChannel lock) {
    this.path = path;
    this.temporary = temporary;
    this.killed = killed;
    this.lock = lock;
  }

  /**
   * Takes the directory.
   *
   * @param chosen created where it is missing; null for a temporary one
   * @throws BrokerException if it can't be used; the message names the directory
   */
  static DataDirectory open(
      @Nullable Path chosen, KafkaBroker.Node node, String controllerListener) {
    FileChannel lock = null;
    try {
      Path path =
          chosen == null
              ? createTemporary()
              : Files.createDirectories(chosen.toAbsolutePath().normalize());
      refuseForeign(path);
      lock =
          FileChannel.open(
              path.resolve(LOCK_FILE), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (!acquire(lock)) {
        throw new BrokerException(
            "Another broker is running on the data in "
                + path
                + ", and two would destroy it. Stop that one or choose another directory.");
      }
      boolean formatted = Files.exists(path.resolve(FORMATTED));
      boolean killed = formatted && !Files.exists(path.resolve(STOPPED_CLEANLY));
      if (!formatted) {
        format(path, node, controllerListener);
      }
      DataDirectory directory = new DataDirectory(path, chosen == null, killed, lock);
      lock = null;
      return directory;
    } catch (IOException e) {
      throw new BrokerException(
          "The data directory "
              + (chosen == null ? "under " + System.getProperty("java.io.tmpdir") : chosen)
              + " can't be used: "
              + describe(e)
              + ". Choose a directory that this user may write to.",
          e);
    } finally {
      closeQuietly(lock);
    }
  }

  static Path createTemporary() throws IOException {
    return Files.createTempDirectory("tideover-kafka-");
  }

  private static void refuseForeign(Path path) throws IOException {
    if (Files.exists(path.resolve(FORMATTED))) {
      return;
    }
    try (Stream<Path> entries = Files.list(path)) {
      boolean foreign =
          entries
              .map(entry -> String.valueOf(entry.getFileName()))
              // What an interrupted formatting leaves behind.
              .anyMatch(
                  name ->
                      !name.equals(LOCK_FILE)
                          && !name.startsWith(FORMATTED)
                          && !name.startsWith("bootstrap.checkpoint"));
      if (foreign) {
        throw new BrokerException(
            "The directory "
                + path
                + " holds something other than Kafka's data, so the broker leaves it alone. Choose"
                + " an empty or new directory.");
      }
    }
  }

  private static boolean acquire(FileChannel lock) throws IOException {
    try {
      return lock.tryLock() != null;
    } catch (OverlappingFileLockException heldInThisJvm) {
      return false;
    }
  }

  private static void format(Path path, KafkaBroker.Node node, String controllerListener)
      throws IOException {
    String clusterId = node.clusterId();
    try {
      new Formatter()
          .setPrintStream(new PrintStream(OutputStream.nullOutputStream()))
          .setNodeId(node.id())
          .setClusterId(clusterId == null ? Uuid.randomUuid().toString() : clusterId)
          .addDirectory(path.toString())
          .setMetadataLogDirectory(path.toString())
          .setControllerListenerName(controllerListener)
          .run();
    } catch (IOException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  private static String describe(IOException e) {
    return e.getClass().getSimpleName() + " (" + e.getMessage() + ")";
  }

  Path path() {
    return path;
  }

  boolean isTemporary() {
    return temporary;
  }

  /** Whether the broker that last had this directory came to an end without a stop. */
  boolean wasKilled() {
    return killed;
  }

  @Override
  public void close() {
    closeQuietly(lock);
    if (temporary) {
      delete(path);
    }
  }

  /**
   * Removes a temporary directory.
   *
   * @throws BrokerException if a part of it remains
   */
  static void delete(Path tree) {
    try {
      deleteTree(tree);
    } catch (IOException e) {
      throw new BrokerException(
          "The temporary directory " + tree + " could not be removed: " + describe(e), e);
    }
  }

  private static void closeQuietly(@Nullable FileChannel channel) {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException nothingWasWritten) {
        // The lock goes with the descriptor, which is gone either way.
      }
    }
  }

  private static void deleteTree(Path tree) throws IOException {
    Files.walkFileTree(
        tree,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
            if (e instanceof NoSuchFileException) {
              return FileVisitResult.CONTINUE;
            }
            throw e;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException e)
              throws IOException {
            if (e != null) {
              throw e;
            }
            Files.deleteIfExists(directory);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
