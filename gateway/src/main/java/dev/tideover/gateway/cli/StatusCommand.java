package dev.tideover.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tideover status SERVICE}: all that is known of a service. */
@Command(
    name = "status",
    description = "How a service stands: versions, instances, backlog, problems.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class StatusCommand implements Callable<Integer> {

  @Mixin private ServiceName service = new ServiceName();

  @Option(names = "--json", description = "As JSON (docs/openapi.yaml).")
  private boolean json;

  @Mixin private AdminOptions admin = new AdminOptions();
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    JsonNode answer = admin.client().service(service.get());
    spec.commandLine()
        .getOut()
        .print(json ? answer.toPrettyString() + "\n" : ServiceText.one(answer));
    spec.commandLine().getOut().flush();
    return 0;
  }
}
