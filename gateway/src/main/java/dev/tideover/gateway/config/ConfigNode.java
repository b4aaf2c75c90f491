package dev.tideover.gateway.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A place in the file, with its path. Reading a value takes it; {@link #end} reports what nobody
 * took. Problems are collected, so that one start-up names them all. Not safe for several threads.
 */
final class ConfigNode {

  private final String path;
  private final JsonNode node;
  private final List<String> problems;
  private final UnaryOperator<@Nullable String> environment;
  private final Set<String> taken = new HashSet<>();

  private ConfigNode(
      String path,
      JsonNode node,
      List<String> problems,
      UnaryOperator<@Nullable String> environment) {
    this.path = path;
    this.node = node;
    this.problems = problems;
    this.environment = environment;
    if (!node.isMissingNode() && !node.isObject()) {
      problem(path.isEmpty() ? "the file" : path, "expected keys with values, found " + kind(node));
    }
  }

  static ConfigNode root(
      JsonNode node, List<String> problems, UnaryOperator<@Nullable String> environment) {
    return new ConfigNode(
        "", node.isNull() ? MissingNode.getInstance() : node, problems, environment);
  }

  String path() {
    return path;
  }

  boolean has(String key) {
    return node.has(key);
  }

  private String at(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  void problem(String where, String what) {
    problems.add(where + ": " + what);
  }

  /** Runs a constructor that may find fault; its problems join the others. */
  <T> T build(Supplier<T> constructor, T instead) {
    T built = buildOrNull(constructor);
    return built == null ? instead : built;
  }

  <T> @Nullable T buildOrNull(Supplier<T> constructor) {
    try {
      return constructor.get();
    } catch (ConfigException e) {
      problems.addAll(e.problems());
      return null;
    }
  }

  ConfigNode child(String key) {
    taken.add(key);
    JsonNode child = node.path(key);
    return new ConfigNode(
        at(key), child.isNull() ? MissingNode.getInstance() : child, problems, environment);
  }

  /** The children of an object by their keys, in the file's order. */
  <T> Map<String, T> children(String key, BiFunction<String, ConfigNode, T> reader) {
    ConfigNode parent = child(key);
    Map<String, T> result = new LinkedHashMap<>();
    parent.node.fieldNames().forEachRemaining(n -> result.put(n, reader.apply(n, parent.child(n))));
    return result;
  }

  <T> List<T> list(String key, Function<ConfigNode, T> reader) {
    taken.add(key);
    JsonNode list = node.path(key);
    List<T> result = new ArrayList<>();
    if (!list.isMissingNode() && !list.isArray()) {
      problem(at(key), "expected a list, found " + kind(list));
      return result;
    }
    for (int i = 0; i < list.size(); i++) {
      ConfigNode item = new ConfigNode(at(key) + "[" + i + "]", list.get(i), problems, environment);
      result.add(reader.apply(item));
    }
    return result;
  }

  List<String> strings(String key) {
    taken.add(key);
    JsonNode list = node.path(key);
    List<String> result = new ArrayList<>();
    if (!list.isMissingNode() && !list.isArray()) {
      problem(at(key), "expected a list such as [GET, POST], found " + kind(list));
      return result;
    }
    for (int i = 0; i < list.size(); i++) {
      result.add(substitute(at(key) + "[" + i + "]", list.get(i).asText()));
    }
    return result;
  }

  /** All keys of a flat object as strings. */
  Map<String, String> stringMap(String key) {
    ConfigNode map = child(key);
    Map<String, String> result = new LinkedHashMap<>();
    map.node.fieldNames().forEachRemaining(name -> result.put(name, map.string(name, "")));
    return result;
  }

  String string(String key, String absent) {
    String value = stringOrNull(key);
    return value == null ? absent : value;
  }

  @Nullable String stringOrNull(String key) {
    taken.add(key);
    JsonNode value = node.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return null;
    }
    if (!value.isValueNode()) {
      problem(at(key), "expected one value, found " + kind(value));
      return null;
    }
    return substitute(at(key), value.asText());
  }

  int integer(String key, int absent) {
    String text = stringOrNull(key);
    if (text == null) {
      return absent;
    }
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      problem(at(key), "found \"" + text + "\", expected a whole number");
      return absent;
    }
  }

  /** A value with a unit. */
  <T> T unit(String key, Function<String, @Nullable T> parser, String examples, T absent) {
    String text = stringOrNull(key);
    if (text == null) {
      return absent;
    }
    T value = parser.apply(text);
    if (value == null) {
      problem(at(key), "found \"" + text + "\", expected " + examples);
      return absent;
    }
    return value;
  }

  /** One of the words of an enum, in lower case. */
  <E extends Enum<E>> E word(String key, Class<E> type, E absent) {
    String text = stringOrNull(key);
    if (text == null) {
      return absent;
    }
    List<String> words = new ArrayList<>();
    for (E constant : type.getEnumConstants()) {
      String word = constant.name().toLowerCase(java.util.Locale.ROOT);
      // To YAML a bare off is false.
      if (word.equals(text) || word.equals("off") && node.path(key).equals(BooleanNode.FALSE)) {
        return constant;
      }
      words.add(word);
    }
    problem(at(key), "found \"" + text + "\", expected one of " + String.join(", ", words));
    return absent;
  }

  /** Reports every key that nobody took. */
  void end() {
    node.fieldNames()
        .forEachRemaining(
            key -> {
              if (!taken.contains(key)) {
                List<String> known = new ArrayList<>(taken);
                known.sort(null);
                problem(at(key), "unknown key; known here: " + String.join(", ", known));
              }
            });
  }

  /** Replaces <code>${NAME}</code> and <code>${NAME:instead}</code> by the environment's value. */
  private String substitute(String where, String text) {
    StringBuilder out = new StringBuilder();
    int from = 0;
    for (int start; (start = text.indexOf("${", from)) >= 0; ) {
      int end = text.indexOf('}', start);
      if (end < 0) {
        problem(where, "\"${\" is not closed by \"}\"");
        return text;
      }
      String inside = text.substring(start + 2, end);
      int colon = inside.indexOf(':');
      String name = colon < 0 ? inside : inside.substring(0, colon);
      String value = environment.apply(name);
      if (value == null && colon < 0) {
        problem(where, "the environment has no " + name + " and no default stands behind it");
        value = "";
      }
      out.append(text, from, start).append(value != null ? value : inside.substring(colon + 1));
      from = end + 1;
    }
    return out.append(text.substring(from)).toString();
  }

  private static String kind(JsonNode node) {
    return switch (node.getNodeType()) {
      case ARRAY -> "a list";
      case OBJECT -> "keys with values";
      case NULL -> "nothing";
      default -> "\"" + node.asText() + "\"";
    };
  }
}
