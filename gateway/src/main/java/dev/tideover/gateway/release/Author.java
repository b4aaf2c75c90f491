package dev.tideover.gateway.release;

import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import org.jspecify.annotations.Nullable;

/**
 * Who writes a state, and when.
 *
 * @param gateway its id
 * @param nowMillis by its clock, since the epoch
 */
record Author(String gateway, long nowMillis) {

  /** The first state of a service. */
  DesiredState first(String service, long epoch, String command, boolean held, int rate) {
    return new DesiredState(service, epoch, command, gateway, nowMillis, null, held, rate, null);
  }

  /** The first state of a service, if that is a release. */
  DesiredState first(String service, long epoch, Release release) {
    return new DesiredState(
        service, epoch, release.id(), gateway, nowMillis, release.from(), false, 0, release);
  }

  /** The next one, with what an operator holds and limits as it was. */
  DesiredState next(
      DesiredState before, String command, @Nullable String active, @Nullable Release release) {
    return next(before, command, active, before.held(), before.rate(), release);
  }

  DesiredState next(
      DesiredState before,
      String command,
      @Nullable String active,
      boolean held,
      int rate,
      @Nullable Release release) {
    return new DesiredState(
        before.service(),
        before.epoch() + 1,
        command,
        gateway,
        nowMillis,
        active,
        held,
        rate,
        release);
  }
}
