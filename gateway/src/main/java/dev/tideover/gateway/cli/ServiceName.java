package dev.tideover.gateway.cli;

import java.util.regex.Pattern;
import picocli.CommandLine.Parameters;

/** The service that a command is about. */
final class ServiceName {

  private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9._-]{1,200}");

  @Parameters(
      index = "0",
      paramLabel = "SERVICE",
      description = "Its name in the gateways' configuration.")
  private String name = "";

  /** One that a path can have as it is. */
  String get() {
    if (!NAME.matcher(name).matches()) {
      throw new AdminFailure(
          AdminFailure.WRONG_USE,
          "SERVICE: found \""
              + Text.clean(name)
              + "\", expected a name of letters, digits, '.', '_' and '-'. tideover services lists"
              + " those that there are.");
    }
    return name;
  }
}
