package dev.tideover.loadtests.bench;

import dev.tideover.loadtests.client.Measurement;
import java.time.Duration;

/**
 * What one round came to and what it cost. Immutable.
 *
 * @param cpu processor time that each process used meanwhile
 */
record Round(Measurement seen, Cpu cpu) {

  /** Processor times since the processes' starts, or within a round. */
  record Cpu(Duration gateway, Duration service, Duration broker, Duration client) {

    Cpu minus(Cpu earlier) {
      return new Cpu(
          gateway.minus(earlier.gateway),
          service.minus(earlier.service),
          broker.minus(earlier.broker),
          client.minus(earlier.client));
    }
  }

  /** Microseconds of processor time for each right answer. */
  double perAnswer(Duration time) {
    return seen.answers() == 0 ? 0 : time.toNanos() / 1000.0 / seen.answers();
  }
}
