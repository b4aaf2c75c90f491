package dev.tideover.gateway.cli;

import dev.tideover.gateway.config.Units;
import java.time.Duration;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Durations as in the configuration. */
final class DurationOption implements ITypeConverter<Duration> {

  @Override
  public Duration convert(String text) {
    Duration duration = Units.duration(text);
    if (duration == null) {
      throw new TypeConversionException("found \"" + text + "\", expected such as 500ms, 30s, 5m");
    }
    return duration;
  }
}
