package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.Core;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What a {@link Session} goes by, and whom it tells how it gets on: the {@link Engine}. */
interface Guide {

  /** Whether it is to come to its end; any thread, and it may change at any time. */
  boolean stopping();

  /** What operators want of the service; null for nothing. Any thread. */
  @Nullable DesiredState desired();

  /**
   * On the owner thread: where the instance stands.
   *
   * @param epoch of the desired state that it goes by; 0 for none
   */
  void stands(InstanceReport.State state, long epoch);

  /** On the owner thread: what is held has changed. */
  void partitionsChanged(Core<Delivery> core);

  /** On any thread: what can't be got over has happened. */
  void fail(Throwable cause);

  /** For an engine of which operators want nothing, and whose state nobody asks for. */
  static Guide alone(BooleanSupplier stopping, Consumer<Throwable> onFailure) {
    return new Guide() {
      @Override
      public boolean stopping() {
        return stopping.getAsBoolean();
      }

      @Override
      public @Nullable DesiredState desired() {
        return null;
      }

      @Override
      public void stands(InstanceReport.State state, long epoch) {}

      @Override
      public void partitionsChanged(Core<Delivery> core) {}

      @Override
      public void fail(Throwable cause) {
        onFailure.accept(cause);
      }
    };
  }
}
