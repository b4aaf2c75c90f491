package dev.tideover.loadtests.drill;

/** In which way a new version is bad. */
enum Bad {
  /** One in ten of its replies is 500. */
  ERRORS("errors", false),
  /** Its handlers never end, after the first few. */
  HANG("hang", false),
  /** Its processes are gone after the first few requests, and stay away. */
  CRASH("crash", false),
  /** As before, and a supervisor starts them again each time. */
  CRASH_LOOP("crash", true);

  /** What the service calls it. */
  final String flag;

  final boolean restarted;

  Bad(String flag, boolean restarted) {
    this.flag = flag;
    this.restarted = restarted;
  }
}
