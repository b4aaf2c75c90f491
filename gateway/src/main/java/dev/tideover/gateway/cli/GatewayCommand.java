package dev.tideover.gateway.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParseResult;

/** The gateway's command line. */
@Command(
    name = "tideover",
    description = "An async messaging buffer gateway.",
    mixinStandardHelpOptions = true,
    subcommands = {
      ServeCommand.class,
      ServicesCommand.class,
      StatusCommand.class,
      HoldCommand.class,
      ResumeCommand.class,
      RateCommand.class,
      ReleaseCommand.class
    })
public final class GatewayCommand {

  private GatewayCommand() {}

  /**
   * Runs a command; the process ends with its exit code: 0 well, 1 it failed or was refused, 2
   * wrong use, 3 no gateway says what has become of it.
   */
  public static void main(String[] args) {
    System.exit(
        run(
            new PrintWriter(System.out, true, StandardCharsets.UTF_8),
            new PrintWriter(System.err, true, StandardCharsets.UTF_8),
            args));
  }

  /** The same with other ends for its text; gives the exit code. */
  public static int run(PrintWriter out, PrintWriter err, String... args) {
    return new CommandLine(new GatewayCommand())
        .setOut(out)
        .setErr(err)
        .setExecutionExceptionHandler(GatewayCommand::failed)
        .execute(args);
  }

  private static int failed(Exception failure, CommandLine command, ParseResult parsed)
      throws Exception {
    if (failure instanceof AdminFailure said) {
      command.getErr().println(said.getMessage());
      command.getErr().flush();
      return said.exitCode();
    }
    throw failure;
  }
}
