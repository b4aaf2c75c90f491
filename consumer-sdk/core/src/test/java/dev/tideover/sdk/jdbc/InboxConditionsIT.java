package dev.tideover.sdk.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.sdk.Inbox.Standing;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import dev.tideover.sdk.RequestSettledException;
import dev.tideover.sdk.jdbc.TestPostgres.Isolation;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/**
 * Why each condition of each statement is there, by the accident that it prevents. Two instances
 * have connections of their own, and where they meet, one really waits for the other's lock.
 */
@Timeout(60)
class InboxConditionsIT {

  private static final UUID ONE = UUID.randomUUID();
  private static final UUID TWO = UUID.randomUUID();
  private static final Reply FIRST = Outcome.reply(201).header("x-by", "first").text("first");
  private static final Reply SECOND = Outcome.reply(202).text("second");

  private final StoredRequest request = StoredRequest.random();
  private final ExecutorService other = Executors.newCachedThreadPool();
  private TestPostgres postgres;

  @BeforeEach
  void schema() throws SQLException {
    postgres = TestPostgres.create();
    JdbcInbox.builder(postgres.dataSource()).build().createSchema();
    postgres.execute("CREATE TABLE effects (by text)");
  }

  @AfterEach
  void noThreadIsLeft() throws InterruptedException {
    other.shutdownNow();
    assertThat(other.awaitTermination(20, TimeUnit.SECONDS)).isTrue();
  }

  private JdbcInbox inbox(Isolation isolation) {
    return JdbcInbox.builder(postgres.dataSource(isolation))
        .stepTimeout(Duration.ofSeconds(30))
        .build();
  }

  private Connection begin(Isolation isolation) throws SQLException {
    Connection connection = postgres.dataSource(isolation).getConnection();
    connection.setAutoCommit(false);
    return connection;
  }

  private static void effect(Connection connection, String by) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("INSERT INTO effects VALUES ('" + by + "')");
    }
  }

  private long effects() throws SQLException {
    return postgres.number("SELECT count(*) FROM effects");
  }

  private static void assertFirst(Standing standing) {
    assertThat(standing).isInstanceOf(Standing.Completed.class);
    assertFirst(((Standing.Completed) standing).reply());
  }

  private static void assertFirst(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Reply.class);
    Reply reply = (Reply) outcome;
    assertThat(reply.status()).isEqualTo(201);
    assertThat(reply.fields()).isEqualTo(FIRST.fields());
    assertThat(reply.body()).isEqualTo(FIRST.body());
  }

  /** What the loser of a race gets: READ COMMITTED sees the winner's row, the others refuse. */
  private static void assertLost(Future<?> loser, Isolation isolation) {
    assertThatThrownBy(() -> loser.get(20, TimeUnit.SECONDS))
        .cause()
        .satisfies(
            thrown -> {
              if (isolation == Isolation.READ_COMMITTED) {
                assertThat(thrown).isInstanceOf(RequestSettledException.class);
              } else {
                assertThat(((SQLException) thrown).getSQLState()).isEqualTo("40001");
              }
            });
  }

  // ---- B: only what is open, only in its own run.

  @ParameterizedTest
  @EnumSource
  void aZombieAfterTheSuccessHasNoEffectAndGetsTheReplyThatStands(Isolation isolation)
      throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    inbox.start(request, TWO, false);
    inbox.transaction(
        request,
        connection -> {
          effect(connection, "successor");
          return FIRST;
        });

    Outcome zombies =
        inbox.transaction(
            request,
            connection -> {
              effect(connection, "zombie");
              return SECOND;
            });

    assertFirst(zombies);
    assertFirst(inbox.complete(request, SECOND));
    assertThat(postgres.text("SELECT string_agg(by, ',') FROM effects")).isEqualTo("successor");
  }

  @ParameterizedTest
  @EnumSource
  void aZombieAfterTheDeathCantMakeASuccessOfIt(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    Standing successor = inbox.start(request, TWO, false);
    assertThat(inbox.bury(request, ((Standing.Open) successor).starts()))
        .isEqualTo(new Standing.Dead());

    assertThatThrownBy(
            () ->
                inbox.transaction(
                    request,
                    connection -> {
                      effect(connection, "zombie");
                      return SECOND;
                    }))
        .isInstanceOf(RequestSettledException.class)
        .hasMessageContaining("dead letter");

    assertThat(effects()).isZero();
    assertThat(postgres.row("state, reply IS NULL")).isEqualTo("2,t");
  }

  @ParameterizedTest
  @EnumSource
  void aZombieOfAnOlderRunCantCompleteTheOneThatAnOperatorHasBegun(Isolation isolation)
      throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    inbox.bury(request, 1);
    StoredRequest replayed = request.replayed(1);
    assertThat(inbox.start(replayed, TWO, false)).isEqualTo(new Standing.Open(1));

    assertThatThrownBy(
            () ->
                inbox.transaction(
                    request,
                    connection -> {
                      effect(connection, "zombie");
                      return SECOND;
                    }))
        .isInstanceOf(RequestSettledException.class)
        .hasMessageContaining("begun anew");
    assertThat(inbox.start(request, ONE, false)).isEqualTo(new Standing.Superseded());
    assertThat(inbox.bury(request, 1)).isEqualTo(new Standing.Superseded());
    assertThat(effects()).isZero();

    inbox.transaction(
        replayed,
        connection -> {
          effect(connection, "replay");
          return FIRST;
        });
    assertThat(postgres.row("state, replay_epoch")).isEqualTo("1,1");
    assertThat(effects()).isEqualTo(1);
    assertFirst(inbox.start(request, ONE, false));
  }

  @ParameterizedTest
  @EnumSource
  void ofTwoThatCompleteAtOnceTheSecondWaitsAndThenHasNoEffect(Isolation isolation)
      throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    inbox.start(request, TWO, false);
    try (Connection first = begin(isolation);
        Connection second = begin(isolation)) {
      effect(first, "first");
      effect(second, "second"); // so that both have their snapshot
      inbox.complete(first, request, FIRST);
      Future<?> loser =
          other.submit(
              () -> {
                inbox.complete(second, request, SECOND);
                return null;
              });
      postgres.awaitBlocked(1);
      first.commit();

      assertLost(loser, isolation);
      second.rollback();
    }
    assertThat(postgres.text("SELECT string_agg(by, ',') FROM effects")).isEqualTo("first");
    assertFirst(inbox.find(request));
  }

  @ParameterizedTest
  @EnumSource
  void ifTheFirstOfTwoRollsBackTheSecondCompletes(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    try (Connection first = begin(isolation);
        Connection second = begin(isolation)) {
      effect(first, "first");
      effect(second, "second");
      inbox.complete(first, request, SECOND);
      Future<?> waits =
          other.submit(
              () -> {
                inbox.complete(second, request, FIRST);
                second.commit();
                return null;
              });
      postgres.awaitBlocked(1);
      first.rollback();
      waits.get(20, TimeUnit.SECONDS);
    }
    assertThat(postgres.text("SELECT string_agg(by, ',') FROM effects")).isEqualTo("second");
    assertFirst(inbox.find(request));
  }

  @ParameterizedTest
  @EnumSource
  void aDeathThatMeetsASuccessWaitsForItAndThenIsNone(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    try (Connection zombie = begin(isolation)) {
      effect(zombie, "zombie");
      inbox.complete(zombie, request, FIRST);
      Future<Standing> death = other.submit(() -> inbox.bury(request, 1));
      postgres.awaitBlocked(1);
      zombie.commit();

      assertFirst(death.get(20, TimeUnit.SECONDS));
    }
    assertThat(effects()).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource
  void aSuccessThatMeetsADeathWaitsForItAndThenIsNone(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);
    InboxTable.RowKey key = InboxTable.RowKey.of(request);
    inbox.start(request, ONE, false);
    try (Connection owner = begin(isolation);
        Connection zombie = begin(isolation)) {
      effect(zombie, "zombie");
      assertThat(new InboxTable("tideover_inbox").bury(owner, key, 1)).isTrue();
      Future<?> loser =
          other.submit(
              () -> {
                inbox.complete(zombie, request, SECOND);
                return null;
              });
      postgres.awaitBlocked(1);
      owner.commit();

      assertLost(loser, isolation);
      zombie.rollback();
    }
    assertThat(effects()).isZero();
    assertThat(inbox.find(request)).isEqualTo(new Standing.Dead());
  }

  // ---- A: committed before the handler, and never lost.

  @ParameterizedTest
  @EnumSource
  void twoStartsAtOnceGetTwoNumbers(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);
    try (Connection first = begin(isolation)) {
      InboxTable.RowKey key = InboxTable.RowKey.of(request);
      assertThat(Dialect.postgresql().start(first, "tideover_inbox", key.attempt(ONE, false)))
          .isEqualTo(1);
      Future<Standing> second = other.submit(() -> inbox.start(request, TWO, false));
      postgres.awaitBlocked(1);
      first.commit();

      assertThat(second.get(20, TimeUnit.SECONDS)).isEqualTo(new Standing.Open(2));
    }
    assertThat(postgres.row("state, starts, orphans, open_by")).isEqualTo("0,2,1," + TWO);
  }

  @ParameterizedTest
  @EnumSource
  void aStartThatMeetsASuccessWaitsForItAndGetsItsReply(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    try (Connection zombie = begin(isolation)) {
      effect(zombie, "zombie");
      inbox.complete(zombie, request, FIRST);
      Future<Standing> start = other.submit(() -> inbox.start(request, TWO, false));
      postgres.awaitBlocked(1);
      zombie.commit();

      assertFirst(start.get(20, TimeUnit.SECONDS));
    }
    assertThat(postgres.row("state, starts")).isEqualTo("1,1");
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "REPEATABLE_READ")
  void manyAtOnceStartAndCompleteAndOneHasItsEffect(Isolation isolation) throws Exception {
    int threads = 8;
    for (int round = 0; round < 10; round++) {
      StoredRequest contested = StoredRequest.random();
      postgres.execute("TRUNCATE effects");
      CyclicBarrier together = new CyclicBarrier(threads);
      Callable<Outcome> instance =
          () -> {
            JdbcInbox inbox = inbox(isolation);
            UUID incarnation = UUID.randomUUID();
            together.await(20, TimeUnit.SECONDS);
            while (true) {
              Standing standing = inbox.start(contested, incarnation, false);
              if (standing instanceof Standing.Completed completed) {
                return completed.reply();
              }
              try {
                return inbox.transaction(
                    contested,
                    connection -> {
                      effect(connection, "one of many");
                      return Outcome.reply(200).text(incarnation.toString());
                    });
              } catch (SQLException conflict) {
                assertThat(conflict.getSQLState()).isEqualTo("40001");
              }
            }
          };
      List<Future<Outcome>> all = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        all.add(other.submit(instance));
      }
      Set<String> answers = new HashSet<>();
      for (Future<Outcome> one : all) {
        answers.add(new String(((Reply) one.get(30, TimeUnit.SECONDS)).body()));
      }
      assertThat(effects()).isEqualTo(1);
      assertThat(answers).hasSize(1);
    }
  }

  // ---- C and D: only of the latest start.

  @ParameterizedTest
  @EnumSource
  void aStaleStarterNeitherChargesTheRequestNorBuriesIt(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    inbox.start(request, TWO, false);

    assertThat(inbox.failed(request, 1, true)).isEqualTo(new Standing.Open(2));
    assertThat(inbox.bury(request, 1)).isEqualTo(new Standing.Open(2));
    assertThat(postgres.row("state, failures, open_by")).isEqualTo("0,0," + TWO);

    inbox.failed(request, 2, false);
    assertThat(postgres.row("state, failures, open_by IS NULL")).isEqualTo("0,0,t");
    assertThat(inbox.start(request, TWO, false)).isEqualTo(new Standing.Open(3));
    inbox.failed(request, 3, true);
    assertThat(postgres.row("state, failures, open_by IS NULL")).isEqualTo("0,1,t");
    assertThat(inbox.bury(request, 3)).isEqualTo(new Standing.Dead());
    assertThat(inbox.start(request, ONE, false)).isEqualTo(new Standing.Dead());
  }

  @ParameterizedTest
  @EnumSource
  void afterTheSuccessAFailureOrADeathChangesNothing(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    inbox.complete(request, FIRST);

    assertFirst(inbox.failed(request, 1, true));
    assertFirst(inbox.bury(request, 1));
    assertFirst(inbox.bury(request, 0));
    assertThat(postgres.row("state, failures")).isEqualTo("1,0");
  }

  @ParameterizedTest
  @EnumSource
  void whatWasNeverStartedHereCanBeDeadAndThenNeverStarts(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);

    assertThat(inbox.bury(request, 0)).isEqualTo(new Standing.Dead());
    assertThat(inbox.bury(request, 0)).isEqualTo(new Standing.Dead());
    assertThat(inbox.start(request, ONE, false)).isEqualTo(new Standing.Dead());

    // An operator's replay that crashes its instances before the inbox has heard of it.
    assertThat(inbox.bury(request.replayed(1), 0)).isEqualTo(new Standing.Dead());
    assertThat(inbox.start(request.replayed(1), ONE, false)).isEqualTo(new Standing.Dead());
    assertThat(inbox.start(request.replayed(2), ONE, false)).isEqualTo(new Standing.Open(1));
    assertThat(postgres.row("state, done_at IS NULL")).isEqualTo("0,t");
  }

  @ParameterizedTest
  @EnumSource
  void anotherRequestUnderTheSameIdTouchesNothing(Isolation isolation) throws Exception {
    JdbcInbox inbox = inbox(isolation);
    inbox.start(request, ONE, false);
    String all = "state, replay_epoch, starts, failures, orphans, open_by, first_seen, xmin";
    String before = postgres.row(all);

    Standing.Mismatch mismatch = new Standing.Mismatch();
    assertThat(inbox.start(request.other(), TWO, false)).isEqualTo(mismatch);
    assertThat(inbox.start(request.other().replayed(9), TWO, true)).isEqualTo(mismatch);
    assertThat(inbox.bury(request.other(), 0)).isEqualTo(mismatch);
    assertThat(inbox.find(request.other())).isEqualTo(mismatch);
    assertThat(postgres.row(all)).isEqualTo(before);

    inbox.complete(request, FIRST);
    assertThat(inbox.start(request.other(), TWO, false)).isEqualTo(mismatch);
  }

  @ParameterizedTest
  @EnumSource
  void onlyAnotherInstancesOpenStartIsAnOrphanAndOnlyASoloOneACrash(Isolation isolation)
      throws Exception {
    JdbcInbox inbox = inbox(isolation);
    String counts = "starts, orphans, solo_crashes";
    inbox.start(request, ONE, false);
    inbox.start(request, ONE, false); // its own, which it knows the end of
    assertThat(postgres.row(counts)).isEqualTo("2,0,0");
    inbox.failed(request, 2, false);
    inbox.start(request, TWO, false); // after an end in good order
    assertThat(postgres.row(counts)).isEqualTo("3,0,0");
    inbox.start(request, ONE, true);
    assertThat(postgres.row(counts)).isEqualTo("4,1,0");
    inbox.start(request, TWO, true);
    assertThat(postgres.row(counts)).isEqualTo("5,2,1");
    inbox.start(request.replayed(1), ONE, false);
    assertThat(postgres.row(counts + ", failures")).isEqualTo("1,0,0,0");
  }
}
