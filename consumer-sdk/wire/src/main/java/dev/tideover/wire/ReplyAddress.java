package dev.tideover.wire;

import org.jspecify.annotations.Nullable;

/**
 * Where a reply goes: exactly this partition of this topic, written {@code topic/partition}.
 * Immutable.
 *
 * @param topic a legal Kafka topic name
 * @param partition 0 or more
 */
public record ReplyAddress(String topic, int partition) {

  private static final int MAX_TOPIC_LENGTH = 249;

  /**
   * Checks both parts.
   *
   * @throws IllegalArgumentException if the topic is no legal name or the partition is negative
   */
  public ReplyAddress {
    if (!isTopicName(topic) || partition < 0) {
      throw new IllegalArgumentException("not a reply address: " + topic + "/" + partition);
    }
  }

  /** Reads {@code topic/partition}; null for anything else. */
  public static @Nullable ReplyAddress parse(String text) {
    int slash = text.indexOf('/');
    if (slash < 0) {
      return null;
    }
    String topic = text.substring(0, slash);
    long partition = Decimals.parse(text, slash + 1);
    if (partition < 0 || partition > Integer.MAX_VALUE || !isTopicName(topic)) {
      return null;
    }
    return new ReplyAddress(topic, (int) partition);
  }

  private static boolean isTopicName(String name) {
    if (name.isEmpty()
        || name.length() > MAX_TOPIC_LENGTH
        || name.equals(".")
        || name.equals("..")) {
      return false;
    }
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      boolean legal =
          c >= 'a' && c <= 'z'
              || c >= 'A' && c <= 'Z'
              || c >= '0' && c <= '9'
              || c == '.'
              || c == '_'
              || c == '-';
      if (!legal) {
        return false;
      }
    }
    return true;
  }

  @Override
  public String toString() {
    return topic + "/" + partition;
  }
}
