package dev.tideover.gateway.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.gateway.config.GatewayConfig;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.net.HostAndPort;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who may use the operators' API: who shows the configured token; where none is configured, who is
 * on the gateway's own machine. A web page that a browser there has open may never. Immutable.
 */
final class AdminGuard {

  /** What is surely this machine. A name that leads there is not: who knows for how long. */
  private static final Pattern LOOPBACK =
      Pattern.compile("localhost|127(\\.\\d{1,3}){3}|\\[?(::1|0:0:0:0:0:0:0:1)]?");

  private static final String SCHEME = "bearer ";
  private static final Logger LOG = LoggerFactory.getLogger(AdminGuard.class);
  private static final int SHORT = 16;

  private final boolean onThisMachine;
  private final byte @Nullable [] expected;

  AdminGuard(GatewayConfig.Admin config) {
    onThisMachine = isLoopback(config.host());
    String token = config.token();
    expected = token == null ? null : digest(token);
    if (token != null && token.length() < SHORT) {
      LOG.warn(
          "admin.token has {} characters, so it could be guessed: who guesses it can stop every"
              + " service here. Give it at least {}.",
          token.length(),
          SHORT);
    }
  }

  private static boolean isLoopback(String host) {
    return LOOPBACK.matcher(host.toLowerCase(Locale.ROOT)).matches();
  }

  /** Lets it pass, or throws. */
  void check(HttpServerRequest request) {
    checkToken(request);
    HttpMethod method = request.method();
    // No browser leaves it out where a page of another origin asks, and no page here asks yet.
    if (request.headers().contains("Origin")
        && !method.equals(HttpMethod.GET)
        && !method.equals(HttpMethod.HEAD)) {
      throw forbidden(
          "cross-origin",
          "The request has an Origin, so a web page sent it; pages can't change anything here."
              + " Use the tideover command, or any client that isn't a browser.");
    }
  }

  private void checkToken(HttpServerRequest request) {
    if (expected != null) {
      String token = token(request);
      // Of digests: the time tells nothing of the token, not even its length.
      if (token == null || !MessageDigest.isEqual(expected, digest(token))) {
        throw new AdminProblem(
                401,
                "unauthorized",
                "The operators' API needs its token",
                (token == null ? "The request shows no token." : "The token is another one.")
                    + " Send \"Authorization: Bearer TOKEN\" with the admin.token of the"
                    + " gateway's configuration; the tideover command takes it from"
                    + " TIDEOVER_ADMIN_TOKEN or --token-file.")
            .with(
                "WWW-Authenticate",
                "Bearer realm=\"tideover\"" + (token == null ? "" : ", error=\"invalid_token\""));
      }
    } else if (!onThisMachine) {
      throw forbidden(
          "no-token-configured",
          "This gateway has no admin.token, and its admin.host lets others than its own machine"
              + " in, so nobody may use the operators' API. Set admin.token in its configuration"
              + " and start it again, or set admin.host to 127.0.0.1.");
    } else if (!namesThisMachine(request.authority())) {
      // A page whose name was made to lead here (DNS rebinding) has its own name in Host.
      throw forbidden(
          "host-not-allowed",
          "This gateway has no admin.token, so the operators' API answers only requests for"
              + " localhost, 127.0.0.1 or [::1]. Ask there, or set admin.token in its"
              + " configuration.");
    }
  }

  private static boolean namesThisMachine(@Nullable HostAndPort authority) {
    return authority != null && isLoopback(authority.host());
  }

  private static @Nullable String token(HttpServerRequest request) {
    List<String> fields = request.headers().getAll("Authorization");
    if (fields.size() != 1) {
      return null;
    }
    String field = fields.get(0);
    return field.regionMatches(true, 0, SCHEME, 0, SCHEME.length())
        ? field.substring(SCHEME.length()).strip()
        : null;
  }

  private static byte[] digest(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JVM has SHA-256", e);
    }
  }

  private static AdminProblem forbidden(String code, String detail) {
    return new AdminProblem(403, code, "The operators' API is closed to this request", detail);
  }
}
