package dev.tideover.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tideover services}: how all services stand. */
@Command(
    name = "services",
    description = "How all services stand, a line each.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class ServicesCommand implements Callable<Integer> {

  @Option(names = "--json", description = "As JSON (docs/openapi.yaml).")
  private boolean json;

  @Mixin private AdminOptions admin = new AdminOptions();
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    JsonNode answer = admin.client().get("/api/services");
    spec.commandLine()
        .getOut()
        .print(json ? answer.toPrettyString() + "\n" : ServiceText.all(answer.path("services")));
    spec.commandLine().getOut().flush();
    return 0;
  }
}
