package dev.tideover.sdk;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.slf4j.LoggerFactory;

/** What the SDK logs from now on, as an operator reads it. */
public final class Logged implements AutoCloseable {

  private final Logger logger = (Logger) LoggerFactory.getLogger("dev.tideover.sdk");
  private final ConcurrentLinkedQueue<String> lines = new ConcurrentLinkedQueue<>();
  private final AppenderBase<ILoggingEvent> appender =
      new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
          lines.add(event.getLevel() + " " + event.getFormattedMessage());
        }
      };

  /** Begins to listen. */
  public Logged() {
    appender.start();
    logger.addAppender(appender);
  }

  /** The lines that have this in them, and the service's name: tests may run beside each other. */
  List<String> lines(TestService service, String part) {
    return lines(service.name, part);
  }

  /** The same by the service's name. */
  public List<String> lines(String service, String part) {
    return lines.stream().filter(line -> line.contains(service) && line.contains(part)).toList();
  }

  @Override
  public void close() {
    logger.detachAppender(appender);
    appender.stop();
  }
}
