package dev.tideover.loadtests.drill;

import dev.tideover.loadtests.bench.BenchException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an instance of the service really did for a request. Immutable.
 *
 * @param by {@code VERSION/INSTANCE}
 * @param atMillis when, in epoch milliseconds
 */
record Effect(String key, int seq, String by, long atMillis) {

  private static final int FIELDS = 8;

  /**
   * All effects of a run, in their order. All instances append to one file, a line in one system
   * call: the order of the lines is that of the effects, whatever the instances' clocks say. A line
   * that a crash has cut off is no effect, since its handler hadn't returned.
   */
  static List<Effect> read(Path ledger) throws BenchException {
    try {
      List<Effect> effects = new ArrayList<>();
      if (Files.exists(ledger)) {
        // Not by readAllLines: a line that was cut off may be no text.
        String text = new String(Files.readAllBytes(ledger), StandardCharsets.UTF_8);
        for (String line : text.split("\n", -1)) {
          Effect effect = parse(line);
          if (effect != null) {
            effects.add(effect);
          }
        }
      }
      return effects;
    } catch (IOException e) {
      throw new BenchException("What the service has written can't be read: " + e, e);
    }
  }

  /** {@code KEY SEQ RUN ID PARTITION OFFSET VERSION/INSTANCE MILLIS}. */
  private static @Nullable Effect parse(String line) {
    String[] words = line.split(" ", -1);
    try {
      return words.length == FIELDS
          ? new Effect(words[0], Integer.parseInt(words[1]), words[6], Long.parseLong(words[7]))
          : null;
    } catch (NumberFormatException e) {
      return null;
    }
  }

  String id() {
    return key + "-" + seq;
  }

  static String versionOf(String by) {
    return by.substring(0, Math.max(0, by.indexOf('/')));
  }
}
