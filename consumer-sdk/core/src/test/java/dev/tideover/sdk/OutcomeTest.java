package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.tideover.wire.HttpFields;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OutcomeTest {

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 100, 199, 600})
  void onlyFinalStatusesAreReplies(int status) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Outcome.reply(status))
        .withMessageContaining("" + status);
  }

  @ParameterizedTest
  @ValueSource(strings = {"a\r\nset-cookie: x", "a\nb", "a\u0000b"})
  void aValueCantEndItsLine(String value) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Outcome.reply(200).header("x", value))
        .withMessageContaining("HTTP field \"x\"")
        .withMessageNotContaining("set-cookie");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a b", "a:b", "a\r\nb", "Tideover-Outcome", ":status"})
  void aNameIsAnHttpFieldNameAndNotOneOfOurs(String name) {
    assertThatIllegalArgumentException().isThrownBy(() -> Outcome.reply(200).header(name, "v"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Connection",
        "Transfer-Encoding",
        "Content-Length",
        "Keep-Alive",
        "Upgrade",
        "TE",
        "Trailer",
        "Proxy-Authenticate"
      })
  void fieldsOfTheConnectionAreLeftOut(String name) {
    assertThat(Outcome.reply(200).header(name, "5").fields().size()).isZero();
  }

  @Test
  void aReplyOfAnotherServersFieldsKeepsThemInTheirOrderButForTheConnections() {
    HttpFields fields =
        HttpFields.of("x-a", "1", "connection", "close", "content-type", "t/t", "x-a", "2");
    byte[] bytes = {1, 2};
    Reply reply = Reply.of(503, fields, bytes);
    bytes[0] = 9;
    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.fields())
        .isEqualTo(HttpFields.of("x-a", "1", "content-type", "t/t", "x-a", "2"));
    assertThat(reply.body()).containsExactly(1, 2);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Reply.of(200, HttpFields.of("tideover-id", "x"), bytes))
        .withMessageContaining("Tideover's");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Reply.of(204, HttpFields.EMPTY, bytes))
        .withMessageContaining("no content");
    assertThatIllegalArgumentException().isThrownBy(() -> Reply.of(600, HttpFields.EMPTY, bytes));
  }

  @Test
  void aReplyIsImmutable() {
    Reply plain = Outcome.reply(200);
    byte[] bytes = {1, 2};
    Reply full = plain.header("X", "1").body("a/b", bytes);
    bytes[0] = 9;

    assertThat(plain.fields().size()).isZero();
    assertThat(full.body()).containsExactly(1, 2);
    assertThat(full.fields().first("x")).isEqualTo("1");
  }

  @Test
  void aContentTypeGivenBeforeStays() {
    Reply reply =
        Outcome.reply(400).header("Content-Type", "application/problem+json").json(Map.of("a", 1));

    assertThat(reply.fields().all("content-type")).containsExactly("application/problem+json");
    assertThat(new String(reply.body(), UTF_8)).isEqualTo("{\"a\":1}");
    assertThat(reply.body("text/html", new byte[0]).fields().all("content-type"))
        .containsExactly("text/html");
  }

  @ParameterizedTest
  @ValueSource(ints = {204, 205, 304})
  void aStatusWithoutContentRefusesContent(int status) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Outcome.reply(status).text("x"))
        .withMessageContaining("allows no content");
  }

  @Test
  void tooManyFieldsAreRefusedBeforeAGatewayWould() {
    Reply reply = Outcome.reply(200);
    for (int i = 0; i < Reply.MAX_FIELDS; i++) {
      reply = reply.header("x", "" + i);
    }
    Reply full = reply;
    assertThatIllegalArgumentException().isThrownBy(() -> full.header("x", "more"));
  }

  @Test
  void retriesAndDeadLettersAreChecked() {
    assertThatIllegalArgumentException().isThrownBy(() -> Outcome.retry(Duration.ofSeconds(-1)));
    assertThatIllegalArgumentException().isThrownBy(() -> Outcome.retry(Duration.ofDays(2)));
    assertThatIllegalArgumentException().isThrownBy(() -> Outcome.deadLetter(" "));
  }

  record Item(int count) {}

  static final class Unreadable {
    Unreadable(String a, String b) {}
  }

  @ParameterizedTest
  @ValueSource(strings = {"{", "[1]", "{\"count\":\"many\"}", "{\"count\":1}x", "null", ""})
  void aBodyThatIsNotTheTypeIsTheClientsMistake(String body) {
    assertThatExceptionOfType(MalformedBodyException.class)
        .isThrownBy(() -> Json.read(body.getBytes(UTF_8), Item.class))
        .withMessageNotContaining("many");
  }

  @Test
  void aTypeThatJacksonCantMakeIsNotTheClientsMistake() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Json.read("{\"a\":1}".getBytes(UTF_8), Unreadable.class))
        .withMessageContaining("Unreadable");
  }
}
