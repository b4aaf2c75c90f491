package dev.tideover.sdk;

import dev.tideover.wire.HttpFields;
import dev.tideover.wire.WireHeaders;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;

/**
 * The service's answer: status, header fields, content. Immutable: each method returns a new reply.
 * Everything is checked here, in the handler's own stack, and not later where nobody could say
 * whose mistake it was.
 *
 * <p>Fields that belong to one connection or frame its messages ({@code connection}, {@code
 * keep-alive}, {@code transfer-encoding}, {@code content-length}, {@code upgrade}, {@code te},
 * {@code trailer}, {@code proxy-*}) are left out silently: the gateway writes its own, and a
 * handler may so pass on the fields of another server's response.
 */
public final class Reply implements Outcome {

  /** A gateway refuses a record with more than 1,000 headers; some are the contract's own. */
  static final int MAX_FIELDS = 900;

  private static final String CONTENT_TYPE = "content-type";
  private static final byte[] NO_BODY = new byte[0];
  private static final Set<String> DROPPED =
      Set.of(
          "connection",
          "content-length",
          "keep-alive",
          "te",
          "trailer",
          "transfer-encoding",
          "upgrade");

  private final int status;
  private final HttpFields fields;
  private final byte[] body;

  private Reply(int status, HttpFields fields, byte[] body) {
    this.status = status;
    this.fields = fields;
    this.body = body;
  }

  static Reply of(int status) {
    if (status < 200 || status > 599) {
      throw new IllegalArgumentException("status " + status + ": expected 200 to 599");
    }
    return new Reply(status, HttpFields.EMPTY, NO_BODY);
  }

  /**
   * A reply whose fields and content are there already, as those of another server's response are.
   * Fields of the connection are left out, as with {@link #header}.
   *
   * @param status 200 to 599
   * @param body copied
   * @throws IllegalArgumentException for another status, for a field that {@link #header} refuses,
   *     and for content where the status allows none
   */
  public static Reply of(int status, HttpFields fields, byte[] body) {
    Reply bare = of(status);
    bare.checkMayHave(body);
    HttpFields.Builder kept = HttpFields.builder();
    fields.forEach(
        (name, value) -> {
          checkIsNotOurs(name);
          if (!isDropped(name)) {
            kept.add(name, value);
          }
        });
    return new Reply(status, kept.build(), body.clone());
  }

  /** The HTTP status. */
  public int status() {
    return status;
  }

  /** The header fields. */
  public HttpFields fields() {
    return fields;
  }

  /** The content; not a copy, so don't write to it. */
  public byte[] body() {
    return body;
  }

  /**
   * Adds a field line.
   *
   * @param name in any case
   * @throws IllegalArgumentException if the name is no HTTP field name or one of Tideover's own, if
   *     the value has a control character (CR and LF among them), or if there are 900 fields
   */
  public Reply header(String name, String value) {
    String lower = name.toLowerCase(Locale.ROOT);
    checkIsNotOurs(lower);
    if (fields.size() >= MAX_FIELDS) {
      throw new IllegalArgumentException("a reply has at most " + MAX_FIELDS + " header fields");
    }
    HttpFields.Builder builder = HttpFields.builder();
    fields.forEach(builder::add);
    HttpFields added = builder.add(lower, value).build();
    return isDropped(lower) ? this : new Reply(status, added, body);
  }

  private static void checkIsNotOurs(String name) {
    if (name.startsWith(WireHeaders.PREFIX)) {
      throw new IllegalArgumentException(
          "header " + name + ": names beginning with " + WireHeaders.PREFIX + " are Tideover's");
    }
  }

  private static boolean isDropped(String name) {
    return DROPPED.contains(name) || name.startsWith("proxy-");
  }

  /** Content as JSON, {@code content-type: application/json} unless there is one already. */
  public Reply json(Object value) {
    return content("application/json", Json.write(value), false);
  }

  /** Content as text in UTF-8, {@code content-type: text/plain} unless there is one already. */
  public Reply text(String text) {
    return content("text/plain; charset=utf-8", text.getBytes(StandardCharsets.UTF_8), false);
  }

  /**
   * Content of any kind, replacing a {@code content-type} that is there already.
   *
   * @param bytes copied
   * @throws IllegalArgumentException if the status allows no content (204, 205, 304)
   */
  public Reply body(String contentType, byte[] bytes) {
    return content(contentType, bytes.clone(), true);
  }

  private Reply content(String contentType, byte[] bytes, boolean replaceType) {
    checkMayHave(bytes);
    if (!replaceType && fields.first(CONTENT_TYPE) != null) {
      return new Reply(status, fields, bytes);
    }
    HttpFields.Builder builder = HttpFields.builder();
    fields.forEach(
        (name, value) -> {
          if (!name.equals(CONTENT_TYPE)) {
            builder.add(name, value);
          }
        });
    return new Reply(status, builder.add(CONTENT_TYPE, contentType).build(), bytes);
  }

  private void checkMayHave(byte[] content) {
    boolean bodiless = status == 204 || status == 205 || status == 304;
    if (bodiless && content.length > 0) {
      throw new IllegalArgumentException("status " + status + " allows no content");
    }
  }

  /** Status, names and size: values may be secrets and this text may reach a log. */
  @Override
  public String toString() {
    return "Reply[" + status + " " + fields + ", " + body.length + " bytes]";
  }
}
