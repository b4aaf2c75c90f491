package dev.tideover.loadtests.client;

import java.io.IOException;

/** What a server sent is no response that this client reads. */
final class ResponseFormatException extends IOException {

  private static final long serialVersionUID = 1L;

  ResponseFormatException(String message) {
    super(message);
  }
}
