package dev.tideover.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;

/**
 * Makes {@code docs/http.md} from the tests and fails where the page says something else. To write
 * the page anew run this test with {@code -Dtideover.write-docs=true}.
 */
class HttpRulesTest {

  private static final Path PAGE = Path.of("..", "docs", "http.md");
  private static final Pattern SOURCE =
      Pattern.compile(
          "(RFC \\d+|WHATWG HTML|draft-ietf-httpapi-idempotency-key-header-07|Tideover) ?(section ([\\d.]+)|)");

  private record Entry(HttpRule rule, String test) {}

  @Test
  void thePageSaysWhatTheTestsHold() throws Exception {
    String page = page(entries());

    if (Boolean.getBoolean("tideover.write-docs")) {
      Files.writeString(PAGE, page);
    }

    assertThat(Files.readString(PAGE))
        .as("docs/http.md; write it anew with -Dtideover.write-docs=true")
        .isEqualTo(page);
  }

  private static String page(List<Entry> entries) {
    StringBuilder page =
        new StringBuilder(
            """
            # HTTP: the rules, and the tests that hold the gateway to them

            This page is made from the tests of the gateway (`HttpRule`); `HttpRulesTest` fails where it differs from
            them. "Tideover" as a source is this project's own promise, see [guarantees](guarantees.md). What a client
            sees and does in which case is in [status](status.md) and [idempotency](idempotency.md).

            """);
    Map<String, List<Entry>> bySource = new TreeMap<>();
    for (Entry entry : entries) {
      bySource.computeIfAbsent(matcher(entry).group(1), source -> new ArrayList<>()).add(entry);
    }
    bySource.forEach(
        (source, rules) -> {
          page.append("## ").append(source).append("\n\n");
          page.append("| Section | Rule | Held | Test |\n|---|---|---|---|\n");
          rules.sort(
              Comparator.<Entry, String>comparing(entry -> sortable(section(entry)))
                  .thenComparing(entry -> entry.rule().value()));
          for (Entry entry : rules) {
            String notHeld = entry.rule().notHeld();
            page.append("| ")
                .append(section(entry))
                .append(" | ")
                .append(entry.rule().value().replace("|", "\\|"))
                .append(" | ")
                .append(notHeld.isEmpty() ? "yes" : "no: " + notHeld)
                .append(" | `")
                .append(entry.test())
                .append("` |\n");
          }
          page.append('\n');
        });
    return page.toString().stripTrailing() + "\n";
  }

  private static String section(Entry entry) {
    String section = matcher(entry).group(3);
    return section == null ? "" : section;
  }

  /** So that 10.1 comes behind 9.3. */
  private static String sortable(String section) {
    StringBuilder sortable = new StringBuilder();
    for (String part : section.split("\\.", -1)) {
      sortable.append(String.format("%4s", part));
    }
    return sortable.toString();
  }

  private static Matcher matcher(Entry entry) {
    Matcher matcher = SOURCE.matcher(entry.rule().source());
    assertThat(matcher.matches()).as("the source of %s: %s", entry.test(), entry.rule()).isTrue();
    return matcher;
  }

  private static List<Entry> entries() throws IOException, URISyntaxException {
    Path classes =
        Path.of(HttpRulesTest.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    List<Entry> entries = new ArrayList<>();
    try (Stream<Path> files = Files.walk(classes)) {
      files
          .map(file -> classes.relativize(file).toString())
          .filter(name -> name.matches(".*(Test|IT)\\.class"))
          .sorted()
          .forEach(name -> entries.addAll(entriesOf(name)));
    }
    assertThat(entries).hasSizeGreaterThan(40);
    return entries;
  }

  private static List<Entry> entriesOf(String file) {
    String name = file.substring(0, file.length() - ".class".length()).replace('/', '.');
    List<Entry> entries = new ArrayList<>();
    try {
      Class<?> type = Class.forName(name, false, HttpRulesTest.class.getClassLoader());
      for (Method method : type.getDeclaredMethods()) {
        for (HttpRule rule : method.getAnnotationsByType(HttpRule.class)) {
          assertThat(isTest(method)).as("%s is no test", method).isTrue();
          entries.add(new Entry(rule, type.getSimpleName() + "." + method.getName()));
        }
      }
    } catch (ClassNotFoundException e) {
      throw new AssertionError(e);
    }
    return entries;
  }

  private static boolean isTest(Method method) {
    return method.isAnnotationPresent(Test.class)
        || method.isAnnotationPresent(ParameterizedTest.class)
        || method.isAnnotationPresent(Property.class);
  }
}
