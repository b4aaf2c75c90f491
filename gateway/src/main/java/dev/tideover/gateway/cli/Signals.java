package dev.tideover.gateway.cli;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;

/**
 * Signals of the operating system, by {@code sun.misc.Signal}: every JDK has it (module {@code
 * jdk.unsupported}), and there is nothing else. By reflection, since the compiler warns of each use
 * and a warning is an error here.
 */
final class Signals {

  /**
   * Handles a signal from now on; the JVM calls the action on a new thread each time.
   *
   * @param name without {@code SIG}
   * @return false where this JVM or system doesn't let it be handled: then it does what it always
   *     does
   */
  static boolean handle(String name, Runnable action) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      InvocationHandler run =
          (proxy, method, arguments) -> {
            if (method.getDeclaringClass() == Object.class) {
              return switch (method.getName()) {
                case "equals" -> proxy == arguments[0];
                case "hashCode" -> System.identityHashCode(proxy);
                default -> "handler of SIG" + name;
              };
            }
            action.run();
            return null;
          };
      Object proxy =
          Proxy.newProxyInstance(Signals.class.getClassLoader(), new Class<?>[] {handler}, run);
      signal
          .getMethod("handle", signal, handler)
          .invoke(null, signal.getConstructor(String.class).newInstance(name), proxy);
      return true;
    } catch (ReflectiveOperationException e) {
      return false;
    }
  }

  private Signals() {}
}
