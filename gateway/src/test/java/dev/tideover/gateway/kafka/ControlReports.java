package dev.tideover.gateway.kafka;

import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.InstanceReport;

/** Writes what a service's instances say of themselves. */
final class ControlReports {

  private final TestKafka kafka;
  private final String service;

  ControlReports(TestKafka kafka, String service) {
    this.kafka = kafka;
    this.service = service;
  }

  InstanceReport of(String version, String instance, InstanceReport.State state, String run) {
    return new InstanceReport(
        service, version, instance, run, state, 1, 3, InstanceReport.Counts.NONE);
  }

  InstanceReport write(String version, String instance, InstanceReport.State state) {
    return write(of(version, instance, state, "run-1"));
  }

  InstanceReport write(InstanceReport report) {
    kafka.produce(ControlCodec.encode(report));
    return report;
  }

  void end(InstanceReport last) {
    kafka.produce(ControlCodec.tombstone(last));
  }
}
