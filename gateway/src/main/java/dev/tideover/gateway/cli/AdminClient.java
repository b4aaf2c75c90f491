package dev.tideover.gateway.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The operators' API of one or more gateways: any of them answers, so where one can't be reached
 * the next is asked, beginning with the one that answered last. For one thread.
 */
final class AdminClient {

  static final ObjectMapper JSON = new ObjectMapper();

  private static final Duration CONNECT = Duration.ofSeconds(3);
  private static final Duration ANSWER = Duration.ofSeconds(10);

  /** A command is to be written to Kafka. */
  private static final Duration COMMAND_ANSWER = Duration.ofSeconds(35);

  private static final String LOOK =
      "Look whether a gateway runs, and name its admin address by --admin URL.";

  private final List<URI> gateways;
  private final @Nullable String token;
  private final HttpClient http =
      HttpClient.newBuilder()
          .connectTimeout(CONNECT)
          .version(HttpClient.Version.HTTP_1_1)
          .followRedirects(HttpClient.Redirect.NEVER)
          .build();

  private int current;

  /**
   * A client that connects when it is used.
   *
   * @param gateways at least one, such as {@code http://127.0.0.1:8081}
   */
  AdminClient(List<URI> gateways, @Nullable String token) {
    this.gateways = List.copyOf(gateways);
    this.token = token;
  }

  /** The one that answered last. */
  URI gateway() {
    return gateways.get(current);
  }

  /** As they were given, with commas. */
  String addresses() {
    return String.join(",", gateways.stream().map(URI::toString).toList());
  }

  /** How a service stands. */
  JsonNode service(String service) {
    return get("/api/services/" + service);
  }

  JsonNode get(String path) {
    return ask("GET", path, null, true, answer -> true);
  }

  /**
   * The first answer that is as wanted, otherwise the last one that there was. So that a gateway
   * can be found that knows more than another.
   */
  JsonNode get(String path, Predicate<JsonNode> wanted) {
    return ask("GET", path, null, true, wanted);
  }

  /**
   * Gives a command that does no harm when it is given twice.
   *
   * @throws AdminFailure of which {@link AdminFailure#isUnknown} tells whether it may be done
   */
  JsonNode command(String method, String path, @Nullable ObjectNode body) {
    return ask(method, path, body, true, answer -> true);
  }

  /** The same, but once a gateway may have got it no other is asked. */
  JsonNode commandOnce(String method, String path, ObjectNode body) {
    return ask(method, path, body, false, answer -> true);
  }

  private JsonNode ask(
      String method,
      String path,
      @Nullable ObjectNode body,
      boolean again,
      Predicate<JsonNode> wanted) {
    List<String> misses = new ArrayList<>();
    boolean maybeDone = false;
    JsonNode second = null;
    AdminFailure refusal = null;
    int first = current;
    for (int i = 0; i < gateways.size() && (again || !maybeDone); i++) {
      int tried = (first + i) % gateways.size();
      URI gateway = gateways.get(tried);
      try {
        HttpResponse<byte[]> response = http.send(request(gateway, method, path, body), bytes());
        JsonNode answer = read(response.body());
        String code = answer.path("code").asText();
        if (response.statusCode() == 503) {
          maybeDone |= code.equals("outcome-unknown");
          misses.add(gateway + ": " + Text.clean(detail(response, answer)));
        } else if (response.statusCode() / 100 == 2 && answer.isObject()) {
          current = tried;
          if (wanted.test(answer)) {
            return answer;
          }
          second = answer;
        } else {
          refusal = refusal(gateway, response, answer);
          // Another gateway may know what this one has not seen; all else holds for all of them.
          if (!code.equals("no-release")) {
            throw refusal;
          }
        }
      } catch (ConnectException | HttpConnectTimeoutException e) {
        misses.add(gateway + ": can't connect");
      } catch (IOException e) {
        maybeDone = true;
        misses.add(
            gateway
                + ": no answer ("
                + (e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage())
                + ")");
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AdminFailure(AdminFailure.UNKNOWN, "It was interrupted.");
      }
    }
    if (second != null) {
      return second;
    }
    if (refusal != null) {
      throw refusal;
    }
    throw method.equals("GET") ? unreachable(misses) : notDone(misses, maybeDone);
  }

  private static AdminFailure unreachable(List<String> misses) {
    return new AdminFailure(AdminFailure.UNKNOWN, "No gateway can be asked:" + list(misses) + LOOK);
  }

  private static AdminFailure notDone(List<String> misses, boolean maybeDone) {
    return new AdminFailure(
        AdminFailure.UNKNOWN,
        maybeDone
            ? "No gateway says whether it is done, so it may be or not:"
                + list(misses)
                + "Give the command again: what is done already is not done twice."
            : "No gateway can be asked, so nothing was changed:" + list(misses) + LOOK);
  }

  private static String list(List<String> misses) {
    return "\n  " + String.join("\n  ", misses) + "\n";
  }

  private HttpRequest request(URI gateway, String method, String path, @Nullable ObjectNode body) {
    boolean get = method.equals("GET");
    HttpRequest.Builder request =
        HttpRequest.newBuilder(gateway.resolve(path)).timeout(get ? ANSWER : COMMAND_ANSWER);
    if (token != null) {
      request.header("Authorization", "Bearer " + token);
    }
    if (body == null) {
      return request.method(method, HttpRequest.BodyPublishers.noBody()).build();
    }
    return request
        .header("Content-Type", "application/json")
        .method(method, HttpRequest.BodyPublishers.ofString(body.toString()))
        .build();
  }

  private static HttpResponse.BodyHandler<byte[]> bytes() {
    return HttpResponse.BodyHandlers.ofByteArray();
  }

  private static JsonNode read(byte[] body) throws IOException {
    try {
      JsonNode node = JSON.readTree(body);
      return node == null ? JSON.missingNode() : node;
    } catch (JsonProcessingException e) {
      return JSON.missingNode();
    }
  }

  private static String detail(HttpResponse<byte[]> response, JsonNode answer) {
    String detail = answer.path("detail").asText();
    return detail.isEmpty() ? "answers " + response.statusCode() : detail;
  }

  private static AdminFailure refusal(URI gateway, HttpResponse<byte[]> response, JsonNode answer) {
    if (answer.path("detail").asText().isEmpty()) {
      return new AdminFailure(
          AdminFailure.WRONG_USE,
          gateway
              + " answers "
              + response.statusCode()
              + " and not as a gateway's admin address does. Give --admin the host and port of"
              + " admin.port in its configuration (8081 unless it says otherwise), not of http.port.");
    }
    boolean wrong = Set.of(400, 401, 403).contains(response.statusCode());
    return new AdminFailure(
        wrong ? AdminFailure.WRONG_USE : AdminFailure.NOT_DONE,
        Text.clean(detail(response, answer)));
  }
}
