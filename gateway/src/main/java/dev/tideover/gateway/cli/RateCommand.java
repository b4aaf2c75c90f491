package dev.tideover.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code tideover rate SERVICE N|none}: how many requests may start in a second. */
@Command(
    name = "rate",
    description = "Limit how many requests start in a second, all instances together.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class RateCommand implements Callable<Integer> {

  @Mixin private ServiceName service = new ServiceName();

  @Parameters(
      index = "1",
      paramLabel = "N|none",
      description = "1 to 1,000,000, or none for no limit.")
  private String rate = "";

  @Mixin private AdminOptions admin = new AdminOptions();
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    String name = service.get();
    JsonNode state = set(admin.client(), name, rate);
    out.println(
        name
            + " starts requests "
            + limit(state)
            + (state.path("held").asBoolean() ? ", once it is resumed: it is held." : "."));
    out.flush();
    return 0;
  }

  static JsonNode set(AdminClient client, String service, String rate) {
    ObjectNode body = AdminClient.JSON.createObjectNode();
    if (rate.equals("none")) {
      body.putNull("perSecond");
    } else if (rate.matches("[1-9]\\d{0,6}")) {
      body.put("perSecond", Integer.parseInt(rate));
    } else {
      throw new AdminFailure(
          AdminFailure.WRONG_USE,
          "the rate: found \""
              + Text.clean(rate)
              + "\", expected 1 to 1000000, or none for no limit. To let nothing start, hold the"
              + " service.");
    }
    return client.command("PUT", "/api/services/" + service + "/rate", body);
  }

  static String limit(JsonNode service) {
    JsonNode rate = service.path("ratePerSecond");
    return rate.isNull()
        ? "without a limit"
        : "at most " + Text.number(rate.asLong()) + " in a second";
  }
}
