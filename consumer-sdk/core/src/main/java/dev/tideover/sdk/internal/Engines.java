package dev.tideover.sdk.internal;

import dev.tideover.sdk.ConsumerBuilder;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * How {@code dev.tideover.sdk.testing} gets at what a builder was told, without a method for it
 * that every user would see.
 */
public final class Engines {

  private static volatile @Nullable Function<ConsumerBuilder, Settings> settingsOf;

  /** Called by the builder's class when it is loaded. */
  public static void settingsBy(Function<ConsumerBuilder, Settings> access) {
    settingsOf = access;
  }

  /** What the builder was told, checked. As with a start, once. */
  public static Settings settingsOf(ConsumerBuilder builder) {
    return Objects.requireNonNull(settingsOf, "a builder is there, so its class is loaded")
        .apply(builder);
  }

  private Engines() {}
}
