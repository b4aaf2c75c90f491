package dev.tideover.gateway.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How commands reach the gateways. */
final class AdminOptions {

  private static final String DEFAULT = "http://127.0.0.1:8081";
  private static final String VARIABLE = "TIDEOVER_ADMIN_TOKEN";
  private static final Pattern TOKEN = Pattern.compile("[A-Za-z0-9._~+/-]+=*");

  @Option(
      names = "--admin",
      paramLabel = "URL[,URL]",
      description = "The admin address of a gateway, or of several. Default: " + DEFAULT)
  private String admin = DEFAULT;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description = "A file with the gateways' admin.token. Default: what " + VARIABLE + " says.")
  private @Nullable Path tokenFile;

  AdminClient client() {
    List<URI> gateways = new ArrayList<>();
    for (String text : admin.split(",", -1)) {
      gateways.add(address(text.strip()));
    }
    return new AdminClient(gateways, token());
  }

  /** What a command that is proposed needs, to reach the same gateways. */
  String repeated() {
    return (admin.equals(DEFAULT) ? "" : " --admin " + admin)
        + (tokenFile == null ? "" : " --token-file " + tokenFile);
  }

  private static URI address(String text) {
    try {
      URI uri = URI.create(text);
      boolean bare =
          uri.getRawPath() == null || uri.getRawPath().isEmpty() || uri.getRawPath().equals("/");
      if (("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()))
          && uri.getHost() != null
          && uri.getRawUserInfo() == null
          && uri.getRawQuery() == null
          && bare) {
        return uri;
      }
    } catch (IllegalArgumentException e) {
      // Told below, as for any other text that is no address.
    }
    throw new AdminFailure(
        AdminFailure.WRONG_USE,
        "--admin: found \"" + text + "\", expected an address such as " + DEFAULT + ".");
  }

  private @Nullable String token() {
    String from = tokenFile == null ? VARIABLE : "--token-file " + tokenFile;
    String token;
    if (tokenFile == null) {
      token = System.getenv(VARIABLE);
      if (token == null || token.isEmpty()) {
        return null;
      }
    } else {
      try {
        token = Files.readString(tokenFile, UTF_8).strip();
      } catch (IOException e) {
        throw new AdminFailure(
            AdminFailure.WRONG_USE, from + ": can't be read. Name a file that holds the token.");
      }
    }
    if (!TOKEN.matcher(token).matches()) {
      throw new AdminFailure(
          AdminFailure.WRONG_USE,
          from + ": what it has is no token: letters, digits and -._~+/ only, in one line.");
    }
    return token;
  }
}
