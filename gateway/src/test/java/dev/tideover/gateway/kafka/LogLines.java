package dev.tideover.gateway.kafka;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.LoggerFactory;

/** What a class logs while this is open, instead of on the console. Its messages and levels. */
final class LogLines implements AutoCloseable {

  private final List<String> lines = new CopyOnWriteArrayList<>();
  private final Logger logger;
  private final AppenderBase<ILoggingEvent> appender =
      new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
          lines.add(event.getLevel() + " " + event.getFormattedMessage());
        }
      };

  private LogLines(String name) {
    logger = (Logger) LoggerFactory.getLogger(name);
    logger.setLevel(Level.INFO);
    logger.setAdditive(false);
    logger.addAppender(appender);
    appender.start();
  }

  static LogLines of(Class<?> type) {
    return new LogLines(type.getName());
  }

  /** Of all classes of a package and those below it. */
  static LogLines ofPackage(String name) {
    return new LogLines(name);
  }

  /** Those that contain this, as {@code LEVEL message}. */
  List<String> with(String part) {
    return lines.stream().filter(line -> line.contains(part)).toList();
  }

  List<String> all() {
    return List.copyOf(lines);
  }

  @Override
  public void close() {
    logger.detachAppender(appender);
    logger.setAdditive(true);
    logger.setLevel(null);
  }
}
