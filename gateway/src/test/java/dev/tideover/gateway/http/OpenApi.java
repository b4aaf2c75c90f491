package dev.tideover.gateway.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The OpenAPI document, and JSON held against its schemas. Of JSON Schema it knows what the
 * document uses; a keyword that it doesn't know is an error, never a pass.
 */
final class OpenApi {

  private static final Set<String> METHODS = Set.of("get", "put", "post", "delete", "patch");
  private static final Set<String> TEXT = Set.of("description", "example", "examples");

  private final JsonNode root;

  private OpenApi(JsonNode root) {
    this.root = root;
  }

  /** Reads the one in docs/. */
  static OpenApi read() throws IOException {
    Path inModule = Path.of("../docs/openapi.yaml");
    Path file = Files.exists(inModule) ? inModule : Path.of("docs/openapi.yaml");
    // By way of a tree of maps: that resolves the anchors.
    ObjectMapper yaml = new ObjectMapper(new YAMLFactory());
    org.yaml.snakeyaml.Yaml parser = new org.yaml.snakeyaml.Yaml();
    Object tree = parser.load(Files.readString(file));
    return new OpenApi(yaml.valueToTree(tree));
  }

  /** Method, space, path: all that it has. */
  List<String> operations() {
    List<String> found = new ArrayList<>();
    for (Map.Entry<String, JsonNode> path : root.get("paths").properties()) {
      for (Map.Entry<String, JsonNode> method : path.getValue().properties()) {
        if (METHODS.contains(method.getKey())) {
          found.add(method.getKey().toUpperCase(java.util.Locale.ROOT) + " " + path.getKey());
        }
      }
    }
    return found;
  }

  /** What is wrong with a response of an operation; empty for nothing. */
  List<String> problems(String method, String path, int status, String contentType, JsonNode body) {
    JsonNode operation =
        root.get("paths").path(path).path(method.toLowerCase(java.util.Locale.ROOT));
    JsonNode response = resolve(operation.path("responses").path(Integer.toString(status)));
    if (response.isMissingNode()) {
      return List.of(method + " " + path + ": the status " + status + " is not documented");
    }
    JsonNode content = response.path("content").path(contentType);
    if (content.isMissingNode()) {
      return List.of(method + " " + path + ": " + contentType + " is not documented");
    }
    List<String> problems = new ArrayList<>();
    check(content.get("schema"), body, "$", problems);
    return problems;
  }

  /** The schema of what an operation takes. */
  JsonNode requestSchema(String method, String path) {
    JsonNode body =
        resolve(
            root.get("paths")
                .path(path)
                .path(method.toLowerCase(java.util.Locale.ROOT))
                .path("requestBody"));
    return body.path("content").path("application/json").path("schema");
  }

  private JsonNode resolve(JsonNode node) {
    return node.has("$ref") ? root.at(node.get("$ref").asText().substring(1)) : node;
  }

  private void check(JsonNode schema, JsonNode value, String at, List<String> problems) {
    for (Map.Entry<String, JsonNode> keyword : schema.properties()) {
      JsonNode wanted = keyword.getValue();
      switch (keyword.getKey()) {
        case "$ref" -> check(resolve(schema), value, at, problems);
        case "type" -> {
          List<String> types = new ArrayList<>();
          if (wanted.isArray()) {
            wanted.forEach(each -> types.add(each.asText()));
          } else {
            types.add(wanted.asText());
          }
          if (types.stream().noneMatch(type -> isOf(type, value))) {
            problems.add(at + ": " + value + " is none of " + types);
          }
        }
        case "anyOf" -> {
          boolean any = false;
          for (JsonNode each : wanted) {
            List<String> inside = new ArrayList<>();
            check(each, value, at, inside);
            any |= inside.isEmpty();
          }
          if (!any) {
            problems.add(at + ": " + value + " fits none of " + wanted);
          }
        }
        case "required" -> {
          for (JsonNode name : wanted) {
            if (value.isObject() && !value.has(name.asText())) {
              problems.add(at + "." + name.asText() + ": missing");
            }
          }
        }
        case "properties" -> {
          for (Map.Entry<String, JsonNode> property : wanted.properties()) {
            if (value.has(property.getKey())) {
              check(
                  property.getValue(),
                  value.get(property.getKey()),
                  at + "." + property.getKey(),
                  problems);
            }
          }
        }
        case "additionalProperties" -> {
          for (Map.Entry<String, JsonNode> member : value.properties()) {
            if (!schema.path("properties").has(member.getKey())) {
              if (wanted.isObject()) {
                check(wanted, member.getValue(), at + "." + member.getKey(), problems);
              } else {
                problems.add(at + "." + member.getKey() + ": not documented");
              }
            }
          }
        }
        case "items" -> {
          for (int i = 0; i < value.size(); i++) {
            check(wanted, value.get(i), at + "[" + i + "]", problems);
          }
        }
        case "enum" -> {
          boolean found = false;
          for (JsonNode each : wanted) {
            found |= each.equals(value);
          }
          if (!found) {
            problems.add(at + ": " + value + " is none of " + wanted);
          }
        }
        case "pattern" -> {
          if (value.isTextual() && !value.asText().matches(wanted.asText())) {
            problems.add(at + ": " + value + " doesn't match " + wanted);
          }
        }
        case "minimum" -> {
          if (value.isNumber() && value.asDouble() < wanted.asDouble()) {
            problems.add(at + ": " + value + " is less than " + wanted);
          }
        }
        case "maximum" -> {
          if (value.isNumber() && value.asDouble() > wanted.asDouble()) {
            problems.add(at + ": " + value + " is more than " + wanted);
          }
        }
        case "format" -> {
          if (!wanted.asText().equals("date-time")) {
            throw new IllegalArgumentException("unknown format " + wanted);
          }
          if (value.isTextual() && !isTime(value.asText())) {
            problems.add(at + ": " + value + " is no time");
          }
        }
        default -> {
          if (!TEXT.contains(keyword.getKey())) {
            throw new IllegalArgumentException("unknown keyword " + keyword.getKey());
          }
        }
      }
    }
  }

  private static boolean isTime(String text) {
    try {
      return Instant.parse(text) != null;
    } catch (java.time.format.DateTimeParseException e) {
      return false;
    }
  }

  private static boolean isOf(String type, JsonNode value) {
    return switch (type) {
      case "object" -> value.isObject();
      case "array" -> value.isArray();
      case "string" -> value.isTextual();
      case "integer" -> value.isIntegralNumber();
      case "number" -> value.isNumber();
      case "boolean" -> value.isBoolean();
      case "null" -> value.isNull();
      default -> throw new IllegalArgumentException("unknown type " + type);
    };
  }
}
