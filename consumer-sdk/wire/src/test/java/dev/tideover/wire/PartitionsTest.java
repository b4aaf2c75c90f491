package dev.tideover.wire;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PartitionsTest {

  /** Computed by another program from the words of the documentation. */
  @ParameterizedTest
  @CsvSource({"17, 0", "order-42, 0", "schlüssel-ß-名, 10", "AAECAwQFBgcICQoLDA0ODw, 11"})
  void partitionsOfTheDocumentationAreRight(String key, int partition) throws Exception {
    assertThat(Partitions.of(key, 12)).isEqualTo(partition);
    assertThat(Files.readString(Path.of("../../docs/wire.md")))
        .contains("| `" + key + "` | " + partition + " |");
  }

  @Property
  void areThoseOfKafkasDefaultPartitioner(
      @ForAll String key, @ForAll @IntRange(min = 1, max = 10_000) int count) {
    assertThat(Partitions.of(key, count))
        .isEqualTo(BuiltInPartitioner.partitionForKey(key.getBytes(UTF_8), count))
        .isBetween(0, count - 1);
  }
}
