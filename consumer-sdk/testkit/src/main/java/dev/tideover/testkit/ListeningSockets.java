package dev.tideover.testkit;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.server.ServerSocketFactory;

/**
 * The broker's and the controller's sockets, bound before Kafka starts and handed to it when it
 * asks. So a port is ours from the moment it is known, and no second broker, and no program's
 * outgoing connection, can take it in between.
 *
 * <p>Kafka owns a socket once it has been handed over; {@link #close} closes those that were not.
 */
final class ListeningSockets implements ServerSocketFactory, AutoCloseable {

  /** Enough for every client of a test to connect at once. */
  private static final int BACKLOG = 512;

  private final Map<String, ServerSocketChannel> unclaimed = new ConcurrentHashMap<>();

  /**
   * Binds a socket on loopback and keeps it for the listener of this name.
   *
   * @param port 0 for any free one
   * @return the port
   * @throws BrokerException if the port can't be had
   */
  int bind(String listener, int port) {
    ServerSocketChannel channel = null;
    try {
      channel = ServerSocketChannel.open();
      channel.bind(
          new InetSocketAddress(InetAddress.getByAddress(KafkaBroker.LOOPBACK), port), BACKLOG);
      channel.configureBlocking(false);
      unclaimed.put(listener, channel);
      return channel.socket().getLocalPort();
    } catch (IOException e) {
      closeQuietly(channel);
      throw new BrokerException(
          "The broker can't listen on port "
              + port
              + " of localhost ("
              + e.getMessage()
              + "): most likely another program, perhaps another broker, has it. Stop that program"
              + " or choose another port; port 0 takes any free one.",
          e);
    }
  }

  @Override
  public ServerSocketChannel openServerSocket(
      String listener, InetSocketAddress address, int backlog, int receiveBuffer)
      throws IOException {
    ServerSocketChannel channel = unclaimed.remove(listener);
    if (channel == null) {
      throw new IOException("no socket was bound for the listener " + listener);
    }
    return channel;
  }

  @Override
  public void close() {
    unclaimed.values().forEach(ListeningSockets::closeQuietly);
    unclaimed.clear();
  }

  private static void closeQuietly(@org.jspecify.annotations.Nullable ServerSocketChannel channel) {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException nothingToSave) {
        // A socket that nobody connected to.
      }
    }
  }
}
