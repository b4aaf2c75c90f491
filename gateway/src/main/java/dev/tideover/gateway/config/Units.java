package dev.tideover.gateway.config;

import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Numbers with a unit, as people write them. Each method gives null for what it can't read. */
public final class Units {

  private static final Pattern NUMBER_AND_UNIT = Pattern.compile("(\\d{1,12})([a-zA-Z%]+)");
  private static final Map<String, Duration> DURATIONS =
      Map.of(
          "ms", Duration.ofMillis(1),
          "s", Duration.ofSeconds(1),
          "m", Duration.ofMinutes(1),
          "h", Duration.ofHours(1),
          "d", Duration.ofDays(1));
  private static final Map<String, Long> SIZES =
      Map.of("B", 1L, "KiB", 1L << 10, "MiB", 1L << 20, "GiB", 1L << 30);

  /** At most 100 years, so that later arithmetic in nanoseconds can't overflow. */
  public static @Nullable Duration duration(String text) {
    Matcher matcher = NUMBER_AND_UNIT.matcher(text);
    Duration unit = matcher.matches() ? DURATIONS.get(matcher.group(2)) : null;
    if (unit == null) {
      return null;
    }
    Duration duration = unit.multipliedBy(Long.parseLong(matcher.group(1)));
    return duration.compareTo(Duration.ofDays(36_500)) > 0 ? null : duration;
  }

  /** As {@link #duration} reads it: in the largest unit that it is whole in, days aside. */
  public static String text(Duration duration) {
    long millis = duration.toMillis();
    if (millis % 1_000 != 0) {
      return millis + "ms";
    }
    if (millis % 60_000 != 0 || millis == 0) {
      return millis / 1_000 + "s";
    }
    return millis % 3_600_000 != 0 ? millis / 60_000 + "m" : millis / 3_600_000 + "h";
  }

  static @Nullable Long bytes(String text) {
    Matcher matcher = NUMBER_AND_UNIT.matcher(text);
    Long unit = matcher.matches() ? SIZES.get(matcher.group(2)) : null;
    // 12 digits times 2^30 stays below 2^70; compare before multiplying.
    if (unit == null || Long.parseLong(matcher.group(1)) > Long.MAX_VALUE / unit) {
      return null;
    }
    return unit * Long.parseLong(matcher.group(1));
  }

  static @Nullable Integer percent(String text) {
    Matcher matcher = NUMBER_AND_UNIT.matcher(text);
    if (!matcher.matches() || !matcher.group(2).equals("%") || matcher.group(1).length() > 3) {
      return null;
    }
    int percent = Integer.parseInt(matcher.group(1));
    return percent <= 100 ? percent : null;
  }

  private Units() {}
}
