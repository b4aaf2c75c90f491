package dev.tideover.sdk.internal;

import dev.tideover.sdk.TideoverConsumer;

/** The engine. */
public final class Engine {

  public static TideoverConsumer start(Settings settings) {
    throw new UnsupportedOperationException("the engine of " + settings.service());
  }

  private Engine() {}
}
