package dev.tideover.sdk.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.sdk.ConsumerBuilder;
import dev.tideover.sdk.DeadLetter;
import dev.tideover.sdk.Inbox.Standing;
import dev.tideover.sdk.InboxException;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import dev.tideover.sdk.RequestSettledException;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.testing.ManualConsumer;
import dev.tideover.sdk.testing.SettableClock;
import dev.tideover.sdk.testing.TestRequest;
import dev.tideover.wire.RequestId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The helper for transactions, its connections, and what it says about bad use. */
@Timeout(60)
class JdbcInboxIT {

  private static final UUID ME = UUID.randomUUID();

  private final StoredRequest request = StoredRequest.random();
  private final ExecutorService other = Executors.newCachedThreadPool();
  private TestPostgres postgres;
  private Watched watched;
  private JdbcInbox inbox;

  @BeforeEach
  void schema() throws SQLException {
    postgres = TestPostgres.create();
    use(true);
    inbox.createSchema();
    postgres.execute("CREATE TABLE effects (name text UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  }

  private void use(boolean autoCommit) {
    watched = new Watched(postgres.dataSource(), autoCommit);
    inbox = JdbcInbox.builder(watched.dataSource()).build();
  }

  @AfterEach
  void everyConnectionIsClosedAndWasGivenBackAsItCame() {
    other.shutdownNow();
    if (watched == null) {
      return; // skipped
    }
    assertThat(watched.open()).isZero();
    assertThat(watched.wrong()).isEmpty();
  }

  private static void effect(Connection connection, String name) throws SQLException {
    try (PreparedStatement insert = connection.prepareStatement("INSERT INTO effects VALUES (?)")) {
      insert.setString(1, name);
      insert.execute();
    }
  }

  private long effects() throws SQLException {
    return postgres.number("SELECT count(*) FROM effects");
  }

  // ---- The helper.

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theEffectAndTheReplyAreCommittedTogetherAndTheEngineNeedntAsk(boolean autoCommit)
      throws Exception {
    use(autoCommit);
    assertThat(inbox.start(request, ME, false)).isEqualTo(new Standing.Open(1));
    Outcome outcome =
        inbox.transaction(
            request,
            connection -> {
              effect(connection, "a");
              assertThat(postgres.row("state, starts, open_by")).isEqualTo("0,1," + ME);
              assertThat(effects()).isZero();
              return Outcome.reply(201).text("done");
            });

    assertThat(effects()).isEqualTo(1);
    assertThat(postgres.row("state, open_by IS NULL, done_at IS NULL")).isEqualTo("1,t,f");
    int before = watched.taken();
    Standing.Completed completed =
        (Standing.Completed) inbox.complete(request, ((Reply) outcome).header("x", "too late"));
    assertThat(completed.reply()).isSameAs(outcome);
    assertThat(watched.taken()).isEqualTo(before);
    assertThat(((Standing.Completed) inbox.complete(request, Outcome.reply(200))).reply().status())
        .isEqualTo(201);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void whatIsNoReplyOrAnExceptionRollsTheEffectBack(boolean autoCommit) throws Exception {
    use(autoCommit);
    inbox.start(request, ME, false);
    for (Outcome outcome :
        List.of(
            Outcome.retry(Duration.ofSeconds(1)), Outcome.deadLetter("no"), Outcome.hold("no"))) {
      assertThat(
              inbox.transaction(
                  request,
                  connection -> {
                    effect(connection, "a");
                    return outcome;
                  }))
          .isSameAs(outcome);
    }
    for (Throwable thrown : List.of(new java.io.IOException("x"), new AssertionError("x"))) {
      assertThatThrownBy(
              () ->
                  inbox.transaction(
                      request,
                      connection -> {
                        effect(connection, "a");
                        if (thrown instanceof Error error) {
                          throw error;
                        }
                        throw (Exception) thrown;
                      }))
          .isSameAs(thrown);
    }
    assertThat(effects()).isZero();
    assertThat(postgres.row("state")).isEqualTo("0");
  }

  /** It would be the answer for ever, also of the version that is gone back to. */
  @Test
  void aVersionOnTrialStoresNoErrorAndLeavesNoEffectOfIt() throws Exception {
    StoredRequest tried = request.tried();
    inbox.start(tried, ME, false);
    Outcome outcome =
        inbox.transaction(
            tried,
            connection -> {
              effect(connection, "a");
              return Outcome.reply(500);
            });
    assertThat(((Reply) outcome).status()).isEqualTo(500);
    assertThat(effects()).isZero();
    assertThat(inbox.failed(tried, 1, false)).isInstanceOf(Standing.Open.class);
    try (Connection connection = watched.dataSource().getConnection()) {
      connection.setAutoCommit(false);
      assertThatThrownBy(() -> inbox.complete(connection, tried, Outcome.reply(503)))
          .isInstanceOf(RequestSettledException.class)
          .hasMessageContaining("503");
      connection.rollback();
      connection.setAutoCommit(true);
    }

    inbox.start(request, ME, false);
    inbox.transaction(request, connection -> Outcome.reply(201));
    assertThat(((Standing.Completed) inbox.find(request)).reply().status()).isEqualTo(201);
  }

  @Test
  void aReplyThatIsTooLargeIsADeadLetterWithoutEffects() throws Exception {
    JdbcInbox small = JdbcInbox.builder(watched.dataSource()).maxReplyBytes(1024).build();
    small.start(request, ME, false);
    Outcome outcome =
        small.transaction(
            request,
            connection -> {
              effect(connection, "a");
              return Outcome.reply(200).text("x".repeat(1025));
            });

    assertThat(((DeadLetter) outcome).reason()).contains("1025", "1024", "maxReplyBytes");
    assertThat(effects()).isZero();

    // Outside of a transaction its effects have been made already.
    Standing.Completed stored =
        (Standing.Completed) small.complete(request, Outcome.reply(200).text("x".repeat(1025)));
    assertThat(stored.reply().status()).isEqualTo(502);
    Reply again = ((Standing.Completed) small.find(request)).reply();
    assertThat(again.body()).isEqualTo(stored.reply().body());
  }

  @Test
  void aHandlerThatCommitsAndThenFailsIsHandledAllTheSame() throws Exception {
    inbox.start(request, ME, false);
    inbox.transaction(request, connection -> Outcome.reply(201));
    assertThat(((Standing.Completed) inbox.failed(request, 1, true)).reply().status())
        .isEqualTo(201);
  }

  @Test
  void theMemoryOfATransactionIsItsRequestsOnly() throws Exception {
    StoredRequest second = StoredRequest.random();
    inbox.start(request, ME, false);
    inbox.transaction(request, connection -> Outcome.reply(201));
    inbox.start(second, ME, false);
    assertThat(((Standing.Completed) inbox.complete(second, Outcome.reply(202))).reply().status())
        .isEqualTo(202);
  }

  @Test
  void aHandlerCanMakeItsTransactionOnAThreadOfItsOwn() throws Exception {
    inbox.start(request, ME, false);
    Future<Outcome> elsewhere =
        other.submit(() -> inbox.transaction(request, connection -> Outcome.reply(201)));
    Reply reply = (Reply) elsewhere.get(20, TimeUnit.SECONDS);
    assertThat(((Standing.Completed) inbox.complete(request, reply)).reply().status())
        .isEqualTo(201);
  }

  @Test
  void whoManagesTransactionsHimselfStoresTheReplyInHis() throws Exception {
    inbox.start(request, ME, false);
    try (Connection connection = postgres.dataSource().getConnection()) {
      connection.setAutoCommit(false);
      effect(connection, "a");
      inbox.complete(connection, request, Outcome.reply(201));
      assertThat(connection.getAutoCommit()).isFalse();
      assertThat(postgres.row("state")).isEqualTo("0");
      connection.commit();
    }
    assertThat(postgres.row("state")).isEqualTo("1");
  }

  // ---- Bad use, and trouble.

  @Test
  void aConnectionInAutocommitModeIsRefusedBeforeAnythingHappens() throws Exception {
    inbox.start(request, ME, false);
    try (Connection connection = postgres.dataSource().getConnection()) {
      assertThatThrownBy(() -> inbox.complete(connection, request, Outcome.reply(201)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("setAutoCommit(false)");
    }
    assertThatThrownBy(
            () ->
                inbox.transaction(
                    request,
                    connection -> {
                      connection.setAutoCommit(true);
                      return Outcome.reply(201);
                    }))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("autocommit");
    assertThat(postgres.row("state")).isEqualTo("0");
  }

  @Test
  void aTransactionWithinATransactionIsRefusedAndTheNextOneIsNot() throws Exception {
    inbox.start(request, ME, false);
    assertThatThrownBy(
            () ->
                inbox.transaction(
                    request,
                    outer -> {
                      effect(outer, "a");
                      return inbox.transaction(request, inner -> Outcome.reply(201));
                    }))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("Pass the outer one's connection on");
    assertThat(effects()).isZero();
    inbox.transaction(request, connection -> Outcome.reply(201));
    assertThat(postgres.row("state")).isEqualTo("1");
  }

  @Test
  void withoutTheTableTheMessageSaysWhatToDo() {
    JdbcInbox lost = JdbcInbox.builder(watched.dataSource()).table("nowhere_inbox").build();
    assertThatThrownBy(() -> lost.start(request, ME, false))
        .isInstanceOf(InboxException.class)
        .hasMessageContaining("no table nowhere_inbox")
        .hasMessageContaining("createSchema()");
    assertThatThrownBy(() -> lost.transaction(request, connection -> Outcome.reply(201)))
        .isInstanceOf(InboxException.class)
        .hasMessageContaining("no table nowhere_inbox");
  }

  @Test
  void aHandlerWhoseConsumerHasNoInboxIsToldSo() throws Exception {
    assertThatThrownBy(
            () ->
                inbox.transaction(
                    request,
                    connection -> {
                      effect(connection, "a");
                      return Outcome.reply(201);
                    }))
        .isInstanceOf(InboxException.class)
        .hasMessageContaining("built with inbox(...)");
    assertThat(effects()).isZero();
  }

  @Test
  void aFailureOfTheEffectsIsTheirsAlsoWhenItIsPassedOverOrShowsAtTheCommit() throws Exception {
    inbox.start(request, ME, false);
    assertThatThrownBy(
            () ->
                inbox.transaction(
                    request,
                    connection -> {
                      try (Statement statement = connection.createStatement()) {
                        statement.execute("SELECT 1 / 0");
                      } catch (SQLException passedOver) {
                        assertThat(passedOver.getSQLState()).isEqualTo("22012");
                      }
                      return Outcome.reply(201);
                    }))
        .isInstanceOfSatisfying(
            SQLException.class, thrown -> assertThat(thrown.getSQLState()).isEqualTo("25P02"));
    assertThatThrownBy(
            () ->
                inbox.transaction(
                    request,
                    connection -> {
                      effect(connection, "twice");
                      effect(connection, "twice");
                      return Outcome.reply(201);
                    }))
        .isInstanceOfSatisfying(
            SQLException.class, thrown -> assertThat(thrown.getSQLState()).isEqualTo("23505"));
    assertThat(postgres.row("state")).isEqualTo("0");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "getConnection",
        "prepareStatement",
        "getAutoCommit",
        "setAutoCommit",
        "setNetworkTimeout",
        "commit",
        "rollback"
      })
  void howeverTheConnectionIsLostItIsClosedAndNothingIsHalfDone(String failing) throws Exception {
    inbox.start(request, ME, false);
    watched.failing = failing;
    if (!List.of("commit", "rollback", "setAutoCommit").contains(failing)) {
      assertThatThrownBy(() -> inbox.start(request, ME, false)).isInstanceOf(InboxException.class);
    }
    if (!failing.equals("setNetworkTimeout")) {
      assertThatThrownBy(
              () ->
                  inbox.transaction(
                      request,
                      connection -> {
                        try (Statement statement = connection.createStatement()) {
                          statement.execute("INSERT INTO effects VALUES ('a')");
                        }
                        if (failing.equals("rollback")) {
                          throw new IllegalStateException("so that it is rolled back");
                        }
                        return Outcome.reply(201);
                      }))
          .isInstanceOfAny(InboxException.class, SQLException.class, IllegalStateException.class);
    }
    watched.failing = "";
    assertThat(watched.open()).isZero();
    assertThat(postgres.row("state")).isEqualTo("0");
    assertThat(effects()).isZero();
    inbox.transaction(request, connection -> Outcome.reply(201));
    assertThat(postgres.row("state")).isEqualTo("1");
  }

  @Test
  void aStepThatHangsIsGivenUp() throws Exception {
    JdbcInbox hasty =
        JdbcInbox.builder(watched.dataSource()).stepTimeout(Duration.ofMillis(300)).build();
    hasty.start(request, ME, false);
    try (Connection holder = postgres.dataSource().getConnection()) {
      holder.setAutoCommit(false);
      try (Statement statement = holder.createStatement()) {
        statement.execute("SELECT * FROM tideover_inbox FOR UPDATE");
      }
      assertThatThrownBy(() -> hasty.start(request, ME, false)).isInstanceOf(InboxException.class);
    }
    assertThat(hasty.find(request)).isInstanceOf(Standing.Open.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a b", "a;drop", "A", "a.b.c", "\"a\"", "1a"})
  void aTablesNameIsAPlainOne(String name) {
    assertThatThrownBy(() -> JdbcInbox.builder(watched.dataSource()).table(name))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("table \"" + name + "\"");
  }

  // ---- The schema, and what is old.

  @Test
  void theSchemaIsMadeByManyAtOnceAndAgainAndUnderAnotherName() throws Exception {
    postgres.execute("DROP TABLE tideover_inbox");
    List<Future<?>> all = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      all.add(other.submit(inbox::createSchema));
    }
    for (Future<?> one : all) {
      one.get(20, TimeUnit.SECONDS);
    }
    postgres.execute("CREATE SCHEMA IF NOT EXISTS app_" + ME.toString().replace('-', '_'));
    JdbcInbox elsewhere =
        JdbcInbox.builder(watched.dataSource())
            .table("app_" + ME.toString().replace('-', '_') + ".seen")
            .build();
    elsewhere.createSchema();
    elsewhere.createSchema();
    elsewhere.start(request, ME, false);
    elsewhere.complete(request, Outcome.reply(201));
    assertThat(elsewhere.find(request)).isInstanceOf(Standing.Completed.class);
    assertThat(inbox.find(request)).isEqualTo(new Standing.Open(0));
    assertThat(inbox.start(request, ME, false)).isEqualTo(new Standing.Open(1));
  }

  private void fill(int rows, String state, String reply, String doneAt) throws SQLException {
    postgres.execute(
        "INSERT INTO tideover_inbox (message_id, fp, state, starts, reply, first_seen, done_at)"
            + " SELECT uuid_send(gen_random_uuid()), '\\x00'::bytea, "
            + state
            + ", 1, "
            + reply
            + ", now() - interval '30 days', "
            + doneAt
            + " FROM generate_series(1, "
            + rows
            + ")");
  }

  @Test
  void whatEndedEightDaysAgoIsDeletedAndNothingElse() throws Exception {
    fill(1200, "1", "'\\x01'::bytea", "now() - interval '8 days 1 minute'");
    fill(10, "2", "NULL", "now() - interval '9 days'");
    fill(10, "1", "'\\x01'::bytea", "now() - interval '7 days 23 hours'");
    fill(10, "0", "NULL", "NULL");

    assertThat(inbox.purge(System.nanoTime() + Duration.ofSeconds(20).toNanos())).isEqualTo(1210);
    assertThat(postgres.number("SELECT count(*) FROM tideover_inbox")).isEqualTo(20);
    assertThat(postgres.number("SELECT count(*) FROM tideover_inbox WHERE state = 0"))
        .isEqualTo(10);
    int before = watched.taken();
    inbox.tidy(); // the first comes a minute after the start
    assertThat(watched.taken()).isEqualTo(before);
  }

  @Test
  void aPurgePassesOverLockedRowsAndHoldsNobodyUp() throws Exception {
    fill(20, "1", "'\\x01'::bytea", "now() - interval '9 days'");
    try (Connection holder = postgres.dataSource().getConnection()) {
      holder.setAutoCommit(false);
      try (Statement statement = holder.createStatement()) {
        statement.execute("SELECT * FROM tideover_inbox ORDER BY message_id LIMIT 5 FOR UPDATE");
      }
      assertThat(inbox.purge(System.nanoTime() + Duration.ofSeconds(20).toNanos())).isEqualTo(15);
    }
    assertThat(inbox.purge(System.nanoTime())).isEqualTo(5);
  }

  @Test
  void aPurgeOfALargeTableGoesByItsIndexes() throws Exception {
    fill(30_000, "1", "'\\x01'::bytea", "now() - random() * interval '8 days'");
    fill(30_000, "0", "NULL", "NULL");
    fill(1000, "1", "'\\x01'::bytea", "now() - interval '9 days'");
    postgres.execute("ANALYZE tideover_inbox");
    String plan = plan(PostgresDialect.purgeSql("tideover_inbox"));
    assertThat(plan)
        .contains("tideover_inbox_done", "tideover_inbox_pkey")
        .doesNotContain("Seq Scan");
  }

  private String plan(String sql) throws SQLException {
    StringBuilder plan = new StringBuilder();
    try (Connection connection = postgres.dataSource().getConnection();
        PreparedStatement statement = connection.prepareStatement("EXPLAIN " + sql)) {
      statement.setLong(1, Duration.ofDays(8).toSeconds());
      statement.setInt(2, 500);
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          plan.append(rows.getString(1)).append('\n');
        }
      }
    }
    return plan.toString();
  }

  // ---- The engine by hand, for tests of handlers.

  @Test
  void handlersThatUseItAreTestedWithTheEngineByHand() throws Exception {
    ConsumerBuilder builder =
        Tideover.service("orders")
            .inbox(inbox)
            .handler(
                asked ->
                    inbox.transaction(
                        asked,
                        connection -> {
                          effect(connection, asked.text());
                          return asked.text().equals("bad") && asked.replay() == 0
                              ? Outcome.deadLetter("no")
                              : Outcome.reply(201).text("done");
                        }));
    SettableClock clock = new SettableClock(Instant.parse("2026-01-01T00:00:00Z"));
    try (ManualConsumer consumer = ManualConsumer.start(builder, clock)) {
      String good = consumer.deliver(TestRequest.of("POST", "/orders").text("good"));
      String bad = consumer.deliver(TestRequest.of("POST", "/orders").text("bad"));
      consumer.tick();
      consumer.redeliver();
      consumer.tick();
      assertThat(consumer.replies())
          .filteredOn(reply -> reply.id().toString().equals(good))
          .hasSize(2)
          .allSatisfy(reply -> assertThat(reply.status()).isEqualTo(201));
      assertThat(effects()).isEqualTo(1);

      consumer.redeliverDead(0);
      consumer.tick();
      assertThat(consumer.replies())
          .filteredOn(reply -> reply.id().toString().equals(bad))
          .last()
          .satisfies(reply -> assertThat(reply.status()).isEqualTo(201));
      assertThat(effects()).isEqualTo(2);
    }
  }

  @Test
  void anIdOrAFingerprintThatIsNoneIsNamed() {
    StoredRequest bad = new StoredRequest("x", request.fingerprint(), 0);
    assertThatThrownBy(() -> inbox.find(bad))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("\"x\"");
    StoredRequest worse = new StoredRequest(RequestId.random().toString(), "y", 0);
    assertThatThrownBy(() -> inbox.find(worse))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("\"y\"");
  }

  @Test
  void aReplayedRowIsPendingAgainAndNotPurged() throws Exception {
    inbox.start(request, ME, false);
    inbox.bury(request, 1);
    postgres.execute("UPDATE tideover_inbox SET done_at = now() - interval '9 days'");
    inbox.start(request.replayed(1), ME, false);
    assertThat(inbox.purge(System.nanoTime())).isZero();
  }
}
