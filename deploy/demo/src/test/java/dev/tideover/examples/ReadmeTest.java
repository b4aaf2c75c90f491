package dev.tideover.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The README shows code that is compiled; this holds the two together. */
class ReadmeTest {

  @Test
  void showsTheExampleAsItIsCompiled() throws IOException {
    String readme = Files.readString(Path.of("../../README.md"));
    String example = Files.readString(Path.of("src/main/java/dev/tideover/examples/Hello.java"));

    assertThat(readme).contains("```java\n" + example + "```");
  }
}
