package dev.tideover.sdk;

/** The door to the SDK. */
public final class Tideover {

  /**
   * Begins the set-up of a consumer for a service.
   *
   * @param name the service's name as the gateway's configuration has it; its requests are read
   *     from {@code <name>.requests}
   * @throws IllegalArgumentException if the name can't be a part of a topic's name
   */
  public static ConsumerBuilder service(String name) {
    return new ConsumerBuilder(name);
  }

  private Tideover() {}
}
