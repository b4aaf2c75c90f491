package dev.tideover.sdk.internal;

import dev.tideover.sdk.MalformedBodyException;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import java.util.LinkedHashMap;
import java.util.Map;

/** The replies that the engine makes itself, as problem documents (RFC 9457). */
final class Problems {

  static Reply malformedBody(String id, MalformedBodyException cause) {
    String message = cause.getMessage();
    return problem(
        400,
        "Bad Request",
        message == null ? "the body can't be read" : message,
        "malformed-body",
        id);
  }

  static Reply replyTooLarge(String id, int bytes) {
    return problem(
        502,
        "Bad Gateway",
        "the service handled the request, but its reply of "
            + bytes
            + " bytes is larger than the reply topic takes",
        "reply-too-large",
        id);
  }

  private static Reply problem(int status, String title, String detail, String code, String id) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("type", "about:blank");
    document.put("title", title);
    document.put("status", status);
    document.put("detail", detail);
    document.put("code", code);
    document.put("requestId", id);
    document.put("retryable", false);
    return Outcome.reply(status).header("content-type", "application/problem+json").json(document);
  }

  private Problems() {}
}
