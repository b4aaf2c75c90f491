package dev.tideover.gateway.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.tideover.gateway.config.Units;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** The JSON object that an operator has sent, read strictly: each problem names the member. */
final class AdminBody {

  private static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private final JsonNode object;

  /**
   * Reads it; nothing at all is an empty object.
   *
   * @param known the names that it may have
   */
  AdminBody(byte[] bytes, List<String> known) {
    object = parse(bytes);
    TreeSet<String> unknown = new TreeSet<>();
    object.fieldNames().forEachRemaining(unknown::add);
    known.forEach(unknown::remove);
    if (!unknown.isEmpty()) {
      throw AdminProblem.badRequest(
          "\""
              + clipped(unknown.first())
              + "\" is not known here; "
              + (known.isEmpty()
                  ? "this takes no members."
                  : "known are " + String.join(", ", known) + "."));
    }
  }

  private static JsonNode parse(byte[] bytes) {
    if (bytes.length == 0) {
      return MAPPER.createObjectNode();
    }
    JsonNode node;
    try {
      node = MAPPER.readTree(bytes);
    } catch (JsonProcessingException e) {
      throw AdminProblem.badRequest(
          "The body is not JSON: " + clipped(e.getOriginalMessage()) + where(e) + ".");
    } catch (IOException e) {
      throw AdminProblem.badRequest("The body is not JSON in UTF-8.");
    }
    if (!node.isObject()) {
      throw AdminProblem.badRequest("The body is not a JSON object, such as {\"to\": \"v2\"}.");
    }
    return node;
  }

  private static String where(JsonProcessingException e) {
    return e.getLocation() == null
        ? ""
        : " (line "
            + e.getLocation().getLineNr()
            + ", column "
            + e.getLocation().getColumnNr()
            + ")";
  }

  boolean has(String name) {
    return object.has(name);
  }

  boolean isGiven(String name) {
    return object.hasNonNull(name);
  }

  @Nullable String string(String name) {
    if (!isGiven(name)) {
      return null;
    }
    if (!object.get(name).isTextual()) {
      throw wrong(name, "a string");
    }
    return object.get(name).textValue();
  }

  Duration duration(String name, Duration instead) {
    if (!isGiven(name)) {
      return instead;
    }
    JsonNode node = object.get(name);
    Duration duration = node.isTextual() ? Units.duration(node.textValue()) : null;
    if (duration == null) {
      throw wrong(name, "a string such as \"500ms\", \"30s\" or \"5m\"");
    }
    return duration;
  }

  int integer(String name, int instead) {
    if (!isGiven(name)) {
      return instead;
    }
    JsonNode node = object.get(name);
    if (!node.isIntegralNumber() || !node.canConvertToInt()) {
      throw wrong(name, "a whole number");
    }
    return node.intValue();
  }

  boolean isTrue(String name) {
    if (!isGiven(name)) {
      return false;
    }
    if (!object.get(name).isBoolean()) {
      throw wrong(name, "true or false");
    }
    return object.get(name).booleanValue();
  }

  private AdminProblem wrong(String name, String expected) {
    return AdminProblem.badRequest(
        name + ": found " + clipped(object.get(name).toString()) + ", expected " + expected + ".");
  }

  private static String clipped(String text) {
    return text.length() <= 100 ? text : text.substring(0, 100) + "...";
  }
}
