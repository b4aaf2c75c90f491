package dev.tideover.gateway.config;

import java.util.List;

/** A configuration that can't be used. The message has one line a problem, each with its path. */
public final class ConfigException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final transient List<String> problems;

  public ConfigException(List<String> problems) {
    super(String.join(System.lineSeparator(), problems));
    this.problems = List.copyOf(problems);
  }

  public ConfigException(String path, String problem) {
    this(List.of(path + ": " + problem));
  }

  /** One line each: the path in the file, what stands there, what was expected. */
  public List<String> problems() {
    return problems;
  }
}
