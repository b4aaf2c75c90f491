package dev.tideover.wire;

import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.utils.Utils;

/**
 * Which partition a key belongs to: murmur2 of its UTF-8, made positive, modulo the count; what
 * Kafka's default partitioner does, so that a program in any language finds the same one.
 */
public final class Partitions {

  /**
   * The partition of a key.
   *
   * @param count how many partitions there are, at least 1
   */
  public static int of(String key, int count) {
    byte[] utf8 = key.getBytes(StandardCharsets.UTF_8);
    return Utils.toPositive(Utils.murmur2(utf8)) % count;
  }

  private Partitions() {}
}
