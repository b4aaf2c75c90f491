package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/**
 * Some instances of one service in this JVM, under traffic, each of whose runs keeps a journal. For
 * one thread.
 */
final class Fleet implements AutoCloseable {

  static final RequestHandler WORK =
      request -> {
        TimeUnit.MILLISECONDS.sleep(3); // the handler's work
        return Outcome.reply(200).text(request.text());
      };

  private final TestService service;
  private final String protocol;
  private final UnaryOperator<RequestHandler> wrapper;
  private final List<TideoverConsumer> instances = new ArrayList<>();
  private final List<Journal> journals = new ArrayList<>();
  private final Traffic traffic;

  private Fleet(
      TestService service,
      String protocol,
      UnaryOperator<RequestHandler> wrapper,
      Traffic traffic) {
    this.service = service;
    this.protocol = protocol;
    this.wrapper = wrapper;
    this.traffic = traffic;
  }

  /** Starts the instances, and then the traffic: 100 requests a second over 120 keys. */
  static Fleet start(TestKafka kafka, String protocol, int partitions, int size)
      throws InterruptedException {
    return start(kafka, protocol, partitions, size, handler -> handler);
  }

  /** The same with something put around the handlers' work. */
  static Fleet start(
      TestKafka kafka,
      String protocol,
      int partitions,
      int size,
      UnaryOperator<RequestHandler> wrapper)
      throws InterruptedException {
    TestService service = new TestService(kafka, partitions);
    Fleet fleet = new Fleet(service, protocol, wrapper, Traffic.start(service, 100, 120));
    try {
      for (int i = 0; i < size; i++) {
        fleet.start(i);
      }
      fleet.awaitAllAtWork();
      return fleet;
    } catch (Throwable failed) {
      fleet.close();
      throw failed;
    }
  }

  TestService service() {
    return service;
  }

  Traffic traffic() {
    return traffic;
  }

  TideoverConsumer instance(int number) {
    return instances.get(number);
  }

  /** Starts an instance, in the place of one that was stopped if it had that number. */
  void start(int number) {
    Journal journal = Journal.inMemory("orders-" + number + "#" + journals.size());
    TideoverConsumer consumer =
        service
            .builder()
            .instance("orders-" + number)
            .property("group.protocol", protocol)
            .handler(journal.handler(wrapper.apply(WORK)))
            .listener(journal.listener())
            .start();
    journals.add(journal);
    if (number < instances.size()) {
      instances.set(number, consumer);
    } else {
      instances.add(consumer);
    }
  }

  void stop(int number) {
    instances.get(number).close();
  }

  boolean isStopped(int number) {
    return instances.get(number).state() == ConsumerState.CLOSED;
  }

  /** Waits until the partitions are held by all, each by one. */
  void awaitAllAtWork() {
    TestService.await()
        .atMost(Duration.ofSeconds(60))
        .until(
            () -> {
              Set<Integer> held = new HashSet<>();
              int sum = 0;
              for (TideoverConsumer instance : instances) {
                held.addAll(instance.partitions());
                sum += instance.partitions().size();
              }
              return held.size() == service.partitions
                  && sum == service.partitions
                  && instances.stream().noneMatch(one -> one.partitions().isEmpty());
            });
  }

  /** Ends the traffic, waits for its replies, and says what happened. */
  History finish() throws InterruptedException {
    traffic.finish();
    assertThat(instances).allSatisfy(one -> assertThat(one.failure()).isEmpty());
    assertThat(service.kafka.readAll(service.dead)).isEmpty();
    return traffic.history(journals);
  }

  @Override
  public void close() {
    traffic.close();
    CompletableFuture.allOf(
            instances.stream()
                .map(consumer -> CompletableFuture.runAsync(consumer::close))
                .toArray(CompletableFuture[]::new))
        .orTimeout(90, TimeUnit.SECONDS)
        .join();
  }
}
