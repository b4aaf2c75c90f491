package dev.tideover.gateway.cli;

import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The gateway's command line. */
@Command(
    name = "tideover",
    description = "An async messaging buffer gateway.",
    mixinStandardHelpOptions = true,
    subcommands = ServeCommand.class)
public final class GatewayCommand {

  private GatewayCommand() {}

  /** Runs a command; the process ends with its exit code: 0 well, 1 it failed, 2 wrong use. */
  public static void main(String[] args) {
    CommandLine command =
        new CommandLine(new GatewayCommand())
            .setOut(new PrintWriter(System.out, true, java.nio.charset.StandardCharsets.UTF_8))
            .setErr(new PrintWriter(System.err, true, java.nio.charset.StandardCharsets.UTF_8));
    System.exit(command.execute(args));
  }
}
