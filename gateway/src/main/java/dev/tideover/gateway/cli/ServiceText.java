package dev.tideover.gateway.cli;

import static dev.tideover.gateway.cli.Text.clean;
import static dev.tideover.gateway.cli.Text.number;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** How services stand, for people; from the documents of the operators' API. */
final class ServiceText {

  /** A row for each. */
  static String all(JsonNode services) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("SERVICE", "STATE", "VERSION", "INSTANCES", "WAITING", "OLDEST", "PROBLEMS"));
    for (JsonNode service : services) {
      JsonNode backlog = service.path("backlog");
      int problems = service.path("problems").size();
      rows.add(
          List.of(
              clean(service.path("name").asText()),
              state(service),
              clean(service.path("activeVersion").asText("any")),
              instances(service),
              backlog.isNull() ? "?" : number(backlog.path("waiting").asLong()),
              oldest(backlog),
              problems == 0 ? "-" : Integer.toString(problems)));
    }
    return Text.table("", rows);
  }

  private static String state(JsonNode service) {
    JsonNode release = service.path("release");
    if (release.path("running").asBoolean()) {
      return "release to "
          + clean(release.path("to").asText())
          + ": "
          + release.path("step").asText()
          + (service.path("held").asBoolean() ? ", held" : "");
    }
    if (service.path("held").asBoolean()) {
      return "held";
    }
    return service.path("instances").isEmpty() ? "no instance" : "works";
  }

  private static String instances(JsonNode service) {
    Map<String, Integer> versions = new TreeMap<>();
    for (JsonNode instance : service.path("instances")) {
      versions.merge(clean(instance.path("version").asText()), 1, Integer::sum);
    }
    List<String> parts = new ArrayList<>();
    versions.forEach((version, count) -> parts.add(count + " of " + version));
    return parts.isEmpty() ? "0" : String.join(", ", parts);
  }

  private static String oldest(JsonNode backlog) {
    return backlog.isNull() || backlog.path("oldestMs").isNull()
        ? "?"
        : backlog.path("waiting").asLong() == 0
            ? "-"
            : Text.duration(backlog.path("oldestMs").asLong());
  }

  /** All of one. */
  static String one(JsonNode service) {
    StringBuilder text = new StringBuilder();
    text.append(clean(service.path("name").asText())).append(": ").append(state(service));
    text.append('\n');
    line(text, "version", version(service));
    JsonNode rate = service.path("ratePerSecond");
    line(text, "rate", rate.isNull() ? "no limit" : "at most " + rate.asText() + " requests/s");
    line(text, "backlog", backlog(service.path("backlog")));
    JsonNode release = service.path("release");
    if (!release.isNull()) {
      line(text, "release", release(release));
    }
    if (!service.path("instances").isEmpty()) {
      text.append('\n').append(Text.table("  ", instanceRows(service)));
    }
    if (!service.path("problems").isEmpty()) {
      text.append('\n');
      service.path("problems").forEach(each -> line(text, "!", clean(each.asText())));
    }
    return text.toString();
  }

  private static String version(JsonNode service) {
    JsonNode active = service.path("activeVersion");
    String since = service.path("since").isNull() ? "" : service.path("since").asText();
    return (active.isNull() ? "every version works" : clean(active.asText()) + " alone works")
        + (since.isEmpty()
            ? ""
            : " (epoch "
                + service.path("epoch").asLong()
                + ", "
                + clean(since)
                + ", by "
                + clean(service.path("by").asText())
                + ")");
  }

  private static String backlog(JsonNode backlog) {
    if (backlog.isNull()) {
      return "not known";
    }
    if (backlog.path("waiting").asLong() == 0) {
      return "nothing waits";
    }
    return Text.count(backlog.path("waiting").asLong(), "request")
        + ", the oldest for "
        + oldest(backlog)
        + ", "
        + backlog.path("donePerSecond").asText()
        + " done in a second";
  }

  private static String release(JsonNode release) {
    String reason = clean(release.path("reason").asText());
    return clean(release.path("from").asText())
        + " to "
        + clean(release.path("to").asText())
        + ": "
        + release.path("step").asText()
        + " (began "
        + clean(release.path("began").asText())
        + ", id "
        + clean(release.path("id").asText())
        + ")"
        + (reason.isEmpty() ? "" : ": " + reason);
  }

  private static List<List<String>> instanceRows(JsonNode service) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(
        List.of(
            "VERSION",
            "INSTANCE",
            "STATE",
            "EPOCH",
            "PARTITIONS",
            "RUNNING",
            "HANDLED",
            "ERRORS",
            "DEAD",
            "PARKED",
            "HEARD"));
    for (JsonNode instance : service.path("instances")) {
      rows.add(
          List.of(
              clean(instance.path("version").asText()),
              clean(instance.path("instance").asText()),
              clean(instance.path("state").asText()),
              number(instance.path("epochSeen").asLong()),
              number(instance.path("partitions").asLong()),
              number(instance.path("running").asLong()),
              number(instance.path("handled").asLong()),
              number(instance.path("errors").asLong()),
              number(instance.path("dead").asLong()),
              number(instance.path("parked").asLong()),
              Text.duration(instance.path("silentMs").asLong()) + " ago"));
    }
    return rows;
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append(name.equals("!") ? "  ! " : String.format("  %-9s", name))
        .append(value)
        .append('\n');
  }

  private ServiceText() {}
}
