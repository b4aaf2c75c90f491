package dev.tideover.gateway.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.tideover.gateway.exchange.Answer;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;

/** The JSON documents that the gateway itself makes. */
final class Documents {

  private static final JsonFactory JSON = new JsonFactory();

  /** Writes the members of a JSON object. */
  interface Members {
    void write(JsonGenerator json) throws IOException;
  }

  static byte[] bytes(Members members) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.writeStartObject();
      members.write(json);
      json.writeEndObject();
    } catch (IOException impossible) {
      throw new AssertionError("writing to memory failed", impossible);
    }
    return bytes.toByteArray();
  }

  /** Ends the response with a document; with its length alone where the request was HEAD. */
  static Future<Void> end(HttpServerRequest request, Members members) {
    return end(request, bytes(members));
  }

  /** The same with one that is written already. */
  static Future<Void> end(HttpServerRequest request, byte[] bytes) {
    HttpServerResponse response = request.response();
    if (request.method().equals(HttpMethod.HEAD)) {
      response.putHeader("Content-Length", Integer.toString(bytes.length));
      return response.end();
    }
    return response.end(Buffer.buffer(bytes));
  }

  /** What is known of a request without a reply. */
  static void pending(Answer.Pending pending, JsonGenerator json) throws IOException {
    json.writeStringField("state", state(pending));
    json.writeStringField("requestId", pending.id().toString());
    json.writeStringField("location", Responder.STATUS_PATH + pending.token());
    json.writeNumberField("attempts", pending.attempts());
    Long position = pending.position();
    if (position != null) {
      json.writeNumberField("position", position);
    }
    Duration eta = pending.eta();
    if (eta != null) {
      json.writeNumberField("etaSeconds", eta.plusMillis(999).toSeconds());
    }
    if (pending.cancelling()) {
      json.writeBooleanField("cancelRequested", true);
    }
  }

  /** The name of its state, which is also the name of its event. */
  static String state(Answer.Pending pending) {
    return pending.stored() ? "pending" : "unknown";
  }

  /**
   * Names the document's content but for the estimate, which is another each second: the same for
   * every gateway. Of characters that an entity tag and an event's id may have.
   */
  static String version(Answer.Pending pending) {
    Long position = pending.position();
    return state(pending)
        + "."
        + pending.attempts()
        + (position == null ? "" : "." + position)
        + (pending.cancelling() ? ".c" : "");
  }

  private Documents() {}
}
