package dev.tideover.demo;

/** The demo's programs log warnings to standard error, whatever is on the class path. */
final class DemoLogging {
  private static final String PROPERTY = "logback.configurationFile";

  private DemoLogging() {}

  /** Must be called before the first logger is made. The user's own setting stands. */
  static void configure() {
    if (System.getProperty(PROPERTY) == null) {
      System.setProperty(PROPERTY, "dev/tideover/demo/logback-demo.xml");
    }
  }
}
