package dev.tideover.gateway.http;

import io.vertx.core.Future;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import org.jspecify.annotations.Nullable;

/**
 * Why an operator's request isn't done: problem details (RFC 9457) with the message as their
 * detail, which says what happened, what it means and what to do.
 */
final class AdminProblem extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final int status;
  private final String code;
  private final String title;
  private final @Nullable String field;
  private final @Nullable String value;

  private AdminProblem(
      int status,
      String code,
      String title,
      String detail,
      @Nullable String field,
      @Nullable String value) {
    super(detail, null, false, false);
    this.status = status;
    this.code = code;
    this.title = title;
    this.field = field;
    this.value = value;
  }

  AdminProblem(int status, String code, String title, String detail) {
    this(status, code, title, detail, null, null);
  }

  /** The same with a field in its answer. */
  AdminProblem with(String name, String text) {
    return new AdminProblem(status, code, title, detail(), name, text);
  }

  static AdminProblem badRequest(String detail) {
    return new AdminProblem(400, "bad-request", "The request can't be understood", detail);
  }

  static AdminProblem noSuchPath(String detail) {
    return new AdminProblem(404, "no-such-path", "There is nothing here", detail);
  }

  static AdminProblem method(String method, String allowed) {
    return new AdminProblem(
            405,
            "method-not-allowed",
            "The method is not allowed here",
            "Found " + method + ", allowed is " + allowed + ".")
        .with("Allow", allowed);
  }

  /** For what is right to be asked again. */
  static AdminProblem unavailable(String code, String title, String detail) {
    return new AdminProblem(503, code, title, detail).with("Retry-After", "1");
  }

  private String detail() {
    return String.valueOf(getMessage());
  }

  Future<Void> write(HttpServerRequest request) {
    HttpServerResponse response = request.response();
    response
        .setStatusCode(status)
        .putHeader("Content-Type", "application/problem+json")
        .putHeader("Cache-Control", "no-store");
    if (field != null && value != null) {
      response.putHeader(field, value);
    }
    return Documents.end(
        request,
        json -> {
          json.writeStringField("type", "urn:tideover:problem:" + code);
          json.writeStringField("title", title);
          json.writeNumberField("status", status);
          json.writeStringField("detail", detail());
          json.writeStringField("code", code);
          json.writeBooleanField("retryable", status == 503);
        });
  }
}
