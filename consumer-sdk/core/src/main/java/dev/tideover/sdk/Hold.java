package dev.tideover.sdk;

/**
 * The service can't work now, whatever the request: its database is away, say. Uses no attempt; the
 * request keeps its place, and no other starts until one that is tried now and then gets through.
 *
 * @param reason for the people who will read the log; not blank, cut to 2,000 characters
 */
public record Hold(String reason) implements Outcome {

  private static final int LONGEST = 2_000;

  /**
   * Checks the reason.
   *
   * @throws IllegalArgumentException if it is blank
   */
  public Hold {
    if (reason.isBlank()) {
      throw new IllegalArgumentException(
          "a hold needs a reason: somebody will have to find out why the service stands still");
    }
    if (reason.length() > LONGEST) {
      boolean pair = Character.isHighSurrogate(reason.charAt(LONGEST - 1));
      reason = reason.substring(0, pair ? LONGEST - 1 : LONGEST);
    }
  }
}
