package dev.tideover.loadtests.drill;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What a script has seen beside the requests. Used by the script's thread only. */
final class Facts {

  /** By instance, from its word that it is ready to its first reply at a client. */
  final Map<String, Long> firstReplyMillis = new TreeMap<>();

  /** The same, from when its SDK or its HTTP server had started. */
  final Map<String, Long> sinceStartMillis = new TreeMap<>();

  /** By name, what else took how long or how often it was. */
  final Map<String, Long> figures = new TreeMap<>();

  /** What makes the run a failure, whatever became of the requests. */
  final List<String> problems = new ArrayList<>();

  /** The release's own report, as JSON. */
  @Nullable String report;

  /** The only version that may answer from a moment on; null where none was decided. */
  @Nullable String onlyVersion;

  /** The first request, in the order of sending, that this holds for. */
  int onlyFrom;

  /** When nothing may start, in epoch milliseconds; 0 where there was no hold. */
  long heldFrom;

  long heldUntil;

  void problem(String what) {
    problems.add(what);
    say("PROBLEM: " + what);
  }

  /** Tells a person what happens. */
  void say(String what) {
    System.out.println("  " + what);
  }
}
