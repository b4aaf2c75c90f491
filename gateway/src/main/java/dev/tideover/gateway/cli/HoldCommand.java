package dev.tideover.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tideover.gateway.config.Units;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tideover hold SERVICE}: nothing starts until it is resumed. */
@Command(
    name = "hold",
    description = "Let nothing start until it is resumed; what has started ends, clients wait.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class HoldCommand implements Callable<Integer> {

  @Mixin private ServiceName service = new ServiceName();

  @Option(
      names = "--wait",
      paramLabel = "TIME",
      converter = DurationOption.class,
      description = "Wait up to so long until all that has started has ended; exit code 1 if not.")
  private @Nullable Duration patience;

  @Mixin private AdminOptions admin = new AdminOptions();
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    AdminClient client = admin.client();
    String name = service.get();
    JsonNode state = client.command("POST", "/api/services/" + name + "/hold", null);
    out.println(name + " is held: nothing starts until it is resumed, and its clients wait.");
    out.println("To go on: tideover resume " + name + admin.repeated());
    out.flush();
    return patience == null ? 0 : awaitDrained(client, name, state, patience, out);
  }

  private static int awaitDrained(
      AdminClient client, String name, JsonNode held, Duration patience, PrintWriter out) {
    long epoch = held.path("epoch").asLong();
    Deadline deadline = Deadline.in(patience);
    List<String> busy = busy(held, epoch);
    int instances = held.path("instances").size();
    while (!busy.isEmpty() && deadline.pause(Duration.ofMillis(250))) {
      JsonNode now = client.service(name);
      busy = busy(now, epoch);
      instances = now.path("instances").size();
    }
    if (busy.isEmpty()) {
      out.println(
          instances == 0
              ? "No instance is heard: either none runs, or they can't report."
              : "All that had started has ended.");
    } else {
      out.println(
          "After "
              + Units.text(patience)
              + " these have not ended what they had started, and go on with it: "
              + String.join(", ", busy));
    }
    out.flush();
    return busy.isEmpty() ? 0 : AdminFailure.NOT_DONE;
  }

  /** Instances that have not heard of it, or that have not ended all, as far as that is known. */
  private static List<String> busy(JsonNode service, long epoch) {
    List<String> busy = new ArrayList<>();
    if (!service.path("current").asBoolean()) {
      busy.add("whoever this gateway doesn't hear now");
    }
    for (JsonNode instance : service.path("instances")) {
      String state = instance.path("state").asText();
      boolean still = state.equals("drained") || state.equals("standby");
      if (!still || instance.path("epochSeen").asLong() < epoch) {
        busy.add(Text.clean(instance.path("instance").asText() + " (" + state + ")"));
      }
    }
    return busy;
  }
}
