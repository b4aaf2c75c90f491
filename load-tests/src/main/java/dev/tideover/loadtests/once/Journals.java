package dev.tideover.loadtests.once;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.once.History.Call;
import dev.tideover.loadtests.once.History.Loss;
import dev.tideover.loadtests.once.History.Loss.How;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a life of an instance has left behind: its journal, one line for each beginning, each effect
 * and each end of a call, and the SDK's log.
 */
final class Journals {

  /** {@code began MILLIS KEY CALL PARTITION OFFSET}. */
  static final String BEGAN = "began";

  /** {@code done MILLIS CALL}: its effect is there, its reply isn't sent. */
  static final String DONE = "done";

  /** {@code ended MILLIS CALL}. */
  static final String ENDED = "ended";

  /** The SDK's own words; {@code JournalsTest} holds them against it. */
  private static final Pattern GIVEN_UP =
      Pattern.compile("^(\\S+) .* (\\d+) requests under way in \\[(.*?)] are given up;.*");

  private static final Pattern LOST =
      Pattern.compile("^(\\S+) .* Lost \\[(.*?)]: Kafka heard nothing of this instance.*");

  private static final int LONGEST_LINE = 200;
  private static final Pattern PARTITION = Pattern.compile("\\.requests-(\\d+)");

  /** The calls, in no order. */
  static List<Call> calls(String life, Path journal) throws BenchException {
    Map<String, Call> calls = new HashMap<>();
    for (String line : lines(journal)) {
      String[] words = line.split(" ", -1);
      if (words[0].equals(BEGAN) && words.length == 6) {
        calls.put(
            words[3],
            new Call(
                words[2],
                words[3],
                life,
                Integer.parseInt(words[4]),
                Long.parseLong(words[5]),
                Long.parseLong(words[1]),
                Call.NEVER));
      } else if (words[0].equals(ENDED) && words.length == 3) {
        long ended = Long.parseLong(words[1]);
        calls.computeIfPresent(
            words[2],
            (name, call) ->
                new Call(
                    call.key(),
                    name,
                    call.life(),
                    call.partition(),
                    call.offset(),
                    call.began(),
                    ended));
      }
    }
    return new ArrayList<>(calls.values());
  }

  /** What the log says of partitions that were taken away with unfinished requests. */
  static List<Loss> losses(String life, Path log) throws BenchException {
    List<Loss> losses = new ArrayList<>();
    for (String line : lines(log)) {
      Matcher lost = LOST.matcher(line);
      Matcher givenUp = GIVEN_UP.matcher(line);
      if (lost.matches()) {
        losses.add(loss(life, lost.group(1), lost.group(2), How.LOST));
      } else if (givenUp.matches()) {
        losses.add(loss(life, givenUp.group(1), givenUp.group(3), How.REVOKED));
      }
    }
    return losses;
  }

  private static Loss loss(String life, String at, String partitions, How how) {
    Set<Integer> numbers = new HashSet<>();
    Matcher each = PARTITION.matcher(partitions);
    while (each.find()) {
      numbers.add(Integer.parseInt(each.group(1)));
    }
    return new Loss(life, numbers, Instant.parse(at).toEpochMilli(), how);
  }

  /** Whether the last thing that was written down is this one. */
  static boolean isLast(String what, Path journal) throws BenchException {
    try (FileChannel file = FileChannel.open(journal, StandardOpenOption.READ)) {
      ByteBuffer end = ByteBuffer.allocate(LONGEST_LINE);
      file.read(end, Math.max(0, file.size() - LONGEST_LINE));
      String text = new String(end.array(), 0, end.position(), StandardCharsets.UTF_8);
      int last = text.lastIndexOf('\n', text.length() - 2) + 1;
      return text.endsWith("\n") && text.startsWith(what + " ", last);
    } catch (NoSuchFileException notYet) {
      return false;
    } catch (IOException e) {
      throw new BenchException("What a service has written can't be read: " + e, e);
    }
  }

  private static List<String> lines(Path file) throws BenchException {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      throw new BenchException("What a service has written can't be read: " + e, e);
    }
  }

  private Journals() {}
}
