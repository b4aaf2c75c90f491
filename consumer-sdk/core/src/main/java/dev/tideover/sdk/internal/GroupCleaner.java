package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.MemberWatch;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Removes from the group those that the {@link MemberWatch} calls silent, by an admin client of its
 * own. It never waits: answers are taken at the next {@link #tick}. For the thread of {@link
 * Members}, its owner, but for what says otherwise.
 */
final class GroupCleaner implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(GroupCleaner.class);

  private static final long ASK_WAITING = TimeUnit.SECONDS.toNanos(1);
  private static final long ASK = TimeUnit.SECONDS.toNanos(10);
  private static final long REMOVAL_PAUSE = TimeUnit.MILLISECONDS.toNanos(500);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

  private final Settings settings;
  private final String ownName;
  private final MemberWatch watch;
  private final BooleanSupplier stillWaiting;
  private final Admin admin;
  private final Occasionally maySayFailed = new Occasionally(Duration.ofSeconds(10));

  /** What the admin client's thread has to tell the owner; one for each question under way. */
  private final Queue<Runnable> answers = new ConcurrentLinkedQueue<>();

  /** Who waits for our name to be free; null for nobody. */
  private volatile @Nullable CompletableFuture<Void> nameWanted;

  private final Set<String> beingRemoved = new HashSet<>();
  private long nextQuestion = System.nanoTime();
  private long nextRemoval = nextQuestion;
  private boolean asking;
  private boolean mayAsk = true;
  private boolean mayRemove = true;

  /**
   * A cleaner that hasn't asked anything yet.
   *
   * @throws IllegalArgumentException if Kafka's client doesn't take its settings
   */
  GroupCleaner(Settings settings, MemberWatch watch, BooleanSupplier stillWaiting) {
    this.settings = settings;
    this.ownName = ClientProperties.memberName(settings);
    this.watch = watch;
    this.stillWaiting = stillWaiting;
    Map<String, Object> config = ClientProperties.admin(settings, "members");
    this.admin = ClientProperties.client(() -> Admin.create(config));
  }

  /** Takes what was answered, and asks and removes where it is time. */
  void tick(long now) {
    Runnable answer = answers.poll();
    while (answer != null) {
      answer.run();
      answer = answers.poll();
    }
    askForMembers(now);
    removeTheSilent(now);
  }

  /**
   * Has a member under our own name removed, once nobody is heard who has it. Any thread.
   *
   * @param released is completed when that is done; null for nobody wants it any more
   */
  void wantName(@Nullable CompletableFuture<Void> released) {
    nameWanted = released;
  }

  /** See {@link Members#inGroup}. Any thread. */
  CompletableFuture<Boolean> inGroup(String version) {
    String group = settings.service();
    String prefix = group + "/" + version + "/";
    return Objects.requireNonNull(
            admin.describeConsumerGroups(List.of(group)).describedGroups().get(group))
        .toCompletionStage()
        .handle(
            (found, failure) ->
                found != null
                    && found.members().stream()
                        .anyMatch(member -> member.clientId().startsWith(prefix)))
        .toCompletableFuture();
  }

  private void askForMembers(long now) {
    if (asking || !mayAsk || now - nextQuestion < 0) {
      return;
    }
    asking = true;
    nextQuestion = now + (stillWaiting.getAsBoolean() ? ASK_WAITING : ASK);
    String group = settings.service();
    whenAnswered(
        admin.describeConsumerGroups(List.of(group)).describedGroups().get(group),
        (description, failure) -> {
          asking = false;
          if (description != null) {
            watch.inGroup(System.nanoTime(), names(description));
          } else if (failure instanceof AuthorizationException) {
            mayAsk = false;
            log.warn(
                "Kafka doesn't let this service describe its group {}: {}. An instance that crashed"
                    + " before this one started is only noticed at the end of Kafka's session"
                    + " timeout. Allow DESCRIBE on the group.",
                group,
                failure.getMessage());
          } else {
            log.debug("Can't ask who is in the group", failure);
          }
        });
  }

  /** The static members that are instances of this service. */
  private Set<String> names(ConsumerGroupDescription group) {
    Set<String> names = new HashSet<>();
    for (MemberDescription member : group.members()) {
      member
          .groupInstanceId()
          .filter(id -> id.startsWith(settings.service() + "-"))
          .ifPresent(names::add);
    }
    return names;
  }

  private void removeTheSilent(long now) {
    if (!mayRemove || now - nextRemoval < 0) {
      return;
    }
    for (String silent : watch.silent(now)) {
      if (!beingRemoved.contains(silent)) {
        remove(silent, () -> watch.removed(silent));
        nextRemoval = now + REMOVAL_PAUSE;
      }
    }
    CompletableFuture<Void> wanted = nameWanted;
    if (wanted != null && watch.isNameFree(now) && !beingRemoved.contains(ownName)) {
      remove(ownName, () -> wanted.complete(null));
      nextRemoval = now + REMOVAL_PAUSE;
    }
  }

  private void remove(String member, Runnable done) {
    beingRemoved.add(member);
    MemberToRemove one = new MemberToRemove(member);
    RemoveMembersFromConsumerGroupOptions options =
        new RemoveMembersFromConsumerGroupOptions(Set.of(one));
    options.reason("no heartbeat in " + ServiceTopics.members(settings));
    whenAnswered(
        admin.removeMembersFromConsumerGroup(settings.service(), options).memberResult(one),
        (nothing, failure) -> {
          beingRemoved.remove(member);
          if (failure == null) {
            log.info(
                "{} gave no sign of life and was removed from the group; its partitions go to"
                    + " others",
                member);
            done.run();
          } else if (failure instanceof UnknownMemberIdException
              || failure instanceof GroupIdNotFoundException) {
            // Another instance was faster, or it has left.
            done.run();
          } else if (failure instanceof AuthorizationException) {
            mayRemove = false;
            log.warn(
                "Kafka doesn't let this service remove {} from its group: {}. An instance that"
                    + " crashes is only noticed at the end of Kafka's session timeout. Allow READ"
                    + " on the group {}.",
                member,
                failure.getMessage(),
                settings.service());
          } else if (maySayFailed.now()) {
            log.warn(
                "{} gave no sign of life and couldn't be removed from the group: {}. It is tried"
                    + " again.",
                member,
                failure.toString());
          }
        });
  }

  /** What is done with an answer: one of the two is null, or both where there is nothing to say. */
  private interface Answer<T> {
    void take(@Nullable T value, @Nullable Throwable failure);
  }

  /** Has the answer taken on this object's thread; the admin client's own must do nothing. */
  private <T> void whenAnswered(@Nullable KafkaFuture<T> future, Answer<T> answer) {
    Objects.requireNonNull(future)
        .toCompletionStage()
        .whenComplete(
            (value, failure) -> {
              Throwable cause =
                  failure instanceof CompletionException wrapped ? wrapped.getCause() : failure;
              answers.add(() -> answer.take(value, cause));
            });
  }

  @Override
  public void close() {
    admin.close(CLOSE_TIMEOUT);
  }
}
