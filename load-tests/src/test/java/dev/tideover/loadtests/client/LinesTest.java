package dev.tideover.loadtests.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LinesTest {

  @Test
  void aLoadIsReadAsItWasWritten() {
    for (boolean keyed : new boolean[] {true, false}) {
      Load load = new Load(8080, "/round-trip", Load.Mode.ECHO, keyed, 64, 500, 5_000);
      assertThat(Load.parse(load.toLine())).isEqualTo(load);
    }
  }

  @Test
  void aMeasurementIsReadAsItWasWritten() {
    Measurement measurement = new Measurement(1234.5, 10, 20.25, 1e7, 5, 2, "status 503, no 200");
    assertThat(Measurement.parse(measurement.toLine())).isEqualTo(measurement);
  }

  @Test
  void aMeasurementWithoutErrorsIsReadAsItWasWritten() {
    Measurement measurement = new Measurement(1234.5, 10, 20, 30, 5, 0, "");
    assertThat(Measurement.parse(measurement.toLine())).isEqualTo(measurement);
  }

  @Test
  void anErrorOfSeveralLinesStaysOneLine() {
    Measurement measurement = new Measurement(0, 0, 0, 0, 0, 1, "one\ntwo");
    assertThat(measurement.toLine()).doesNotContain("\n").endsWith("one two");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "8080 /x ECHO PLAIN 64 500",
        "0 /x ECHO PLAIN 64 500 5000",
        "8080 x ECHO PLAIN 64 500 5000",
        "8080 /x MORE PLAIN 64 500 5000",
        "8080 /x ECHO PLAIN 0 500 5000",
        "8080 /x ECHO PLAIN 64 500 0",
        "8080 /x ECHO PLAIN 64 500 5000 1",
        "8080 /x ECHO 64 500 5000",
        "8080 /x ECHO LOCKED 64 500 5000"
      })
  void refusesALoadThatIsNone(String line) {
    assertThatThrownBy(() -> Load.parse(line)).isInstanceOf(IllegalArgumentException.class);
  }
}
