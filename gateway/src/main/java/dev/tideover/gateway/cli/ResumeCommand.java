package dev.tideover.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tideover resume SERVICE}: what waits starts, slowly at first. */
@Command(
    name = "resume",
    description = "Let requests start again, slowly at first.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class ResumeCommand implements Callable<Integer> {

  @Mixin private ServiceName service = new ServiceName();

  @Option(
      names = "--rate",
      paramLabel = "N",
      description = "Set the rate first: at most N requests start in a second, or none.")
  private @Nullable String rate;

  @Mixin private AdminOptions admin = new AdminOptions();
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    AdminClient client = admin.client();
    String name = service.get();
    if (rate != null) {
      // First: what waits must not start at another rate for a moment.
      JsonNode unused = RateCommand.set(client, name, rate);
    }
    JsonNode state = client.command("POST", "/api/services/" + name + "/resume", null);
    out.println(
        state.path("starting").asBoolean()
            ? name + " goes on, slowly at first, " + RateCommand.limit(state) + "."
            : name
                + " is resumed, and the release under way lets nothing start for a moment: see"
                + " tideover status "
                + name
                + admin.repeated());
    out.flush();
    return 0;
  }
}
