package dev.tideover.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class DemoOptionsTest {
  @Test
  void theDefaultsAreValid() {
    assertThatCode(() -> options(200, 30, 10, 5, 8080).validate()).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource({
    "0, 30, 10, 5, 8080, --rate",
    "5001, 30, 10, 5, 8080, --rate",
    "200, 0, 10, 5, 8080, --duration",
    "200, 1801, 10, 5, 8080, --duration",
    "200, 30, 0, 5, 8080, --release-at",
    "200, 30, 10, 20, 8080, make the duration longer",
    "5000, 300, 10, 60, 8080, requests wait",
    "200, 30, 10, 5, 65536, --port",
  })
  void whatMakesNoSenseIsRefusedByName(
      int rate, int duration, int releaseAt, int downtime, int port, String name) {
    assertThatThrownBy(() -> options(rate, duration, releaseAt, downtime, port).validate())
        .isInstanceOf(DemoException.class)
        .hasMessageContaining(name);
  }

  @Test
  void aReportThatCouldNotBeWrittenIsRefusedBeforeTheRun(@TempDir Path directory) {
    assertThatThrownBy(() -> reportingTo(directory.resolve("missing/report.json")).validate())
        .isInstanceOf(DemoException.class)
        .hasMessageContaining("--report is " + directory.resolve("missing/report.json"));
    assertThatThrownBy(() -> reportingTo(directory).validate()).isInstanceOf(DemoException.class);
    assertThatCode(() -> reportingTo(directory.resolve("report.json")).validate())
        .doesNotThrowAnyException();
    assertThatCode(() -> reportingTo(Path.of("report.json")).validate()).doesNotThrowAnyException();
  }

  @Test
  void theGatewayWaitsLongerThanTheReleaseTakesAndClientsLongerThanTheGateway() {
    DemoOptions options = options(10, 300, 10, 90, 0);
    assertThat(options.gatewayWait()).isGreaterThan(Duration.ofSeconds(100));
    assertThat(options.answerWithin()).isGreaterThan(options.gatewayWait().plusSeconds(2));
    assertThat(options(10, 30, 10, 1, 0).gatewayWait()).isEqualTo(Duration.ofSeconds(30));
  }

  @ParameterizedTest
  @CsvSource({"500ms, 500", "30s, 30000", "2m, 120000", "0s, 0"})
  void durationsAreReadAsPeopleWriteThem(String text, long millis) {
    assertThat(new DurationConverter().convert(text)).isEqualTo(Duration.ofMillis(millis));
  }

  @ParameterizedTest
  @ValueSource(strings = {"30", "s", "-1s", "1.5s", "1h", "9999999999s", "", " 1s"})
  void otherTextIsNoDuration(String text) {
    assertThatThrownBy(() -> new DurationConverter().convert(text))
        .isInstanceOf(TypeConversionException.class)
        .hasMessageContaining("such as 30s");
  }

  private static DemoOptions reportingTo(Path report) {
    return new DemoOptions(
        200,
        Duration.ofSeconds(30),
        Duration.ofSeconds(10),
        Duration.ofSeconds(5),
        false,
        report,
        false,
        8080);
  }

  private static DemoOptions options(
      int rate, int duration, int releaseAt, int downtime, int port) {
    return new DemoOptions(
        rate,
        Duration.ofSeconds(duration),
        Duration.ofSeconds(releaseAt),
        Duration.ofSeconds(downtime),
        false,
        null,
        false,
        port);
  }
}
