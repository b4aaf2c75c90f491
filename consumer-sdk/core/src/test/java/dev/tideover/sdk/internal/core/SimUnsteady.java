package dev.tideover.sdk.internal.core;

/** Cores that don't heed what operators want. See {@link SimFault}. */
final class SimUnsteady {

  /** How a core is made. */
  @FunctionalInterface
  interface Maker {
    Core<SimDelivery> make(
        Policy policy, Lanes<SimDelivery> lanes, Effects<SimDelivery> effects, long now);
  }

  /** Starts as ever while held. */
  static final Maker HOLD_IGNORED =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public void hold(boolean held, long now) {}
          };

  /** Holds, but for what is with a worker and hasn't begun. */
  static final Maker NOT_AT_THE_DOOR =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public void hold(boolean held, long now) {
              super.hold(held, now);
              permits().hold(false);
            }
          };

  /** Starts as many as there are. */
  static final Maker RATE_IGNORED =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public void rate(double perSecond, long now) {}
          };

  /** What a closed partition could start is waited for while nothing starts. */
  static final Maker CLOSED_AND_HELD =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public void hold(boolean held, long now) {
              super.hold(held, now);
              lanes.hold(false);
            }
          };

  /** Is still when no handler runs. */
  static final Maker STILL_BEFORE_THE_COMMIT =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public boolean isStill() {
              return permits().inUse() == 0;
            }
          };

  /** Is never still. */
  static final Maker NEVER_STILL =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public boolean isStill() {
              return false;
            }
          };

  /** Counts what fails on trial. */
  static final Maker ATTEMPT_USED =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public void trial(boolean onTrial, long now) {
              // Withholds replies, and nothing else.
            }

            @Override
            public void withheld(Work<SimDelivery> work, long now) {
              super.trial(true, now);
              super.withheld(work, now);
            }
          };

  /** Sends what is withheld. */
  static final Maker WITHHELD_IS_SENT =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public void withheld(Work<SimDelivery> work, long now) {
              again(work, 0, now);
            }
          };

  /** Takes what is withheld for its end. */
  static final Maker WITHHELD_IS_THE_END =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public void withheld(Work<SimDelivery> work, long now) {
              ended(work, NO_REPLY, now);
            }
          };

  /** Keeps what it has withheld for ever. */
  static final Maker NEVER_RELEASED =
      (policy, lanes, effects, now) ->
          new Core<>(policy, lanes, effects, now) {
            @Override
            public void trial(boolean onTrial, long now) {
              if (onTrial) {
                super.trial(true, now);
              }
            }
          };

  private SimUnsteady() {}
}
