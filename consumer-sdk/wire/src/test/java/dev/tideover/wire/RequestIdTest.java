package dev.tideover.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Base64;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Chars;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;

class RequestIdTest {

  @Test
  void textFormIsTwentyTwoCharactersAndReadsBack() {
    RequestId id = RequestId.random();

    assertThat(id.toString()).hasSize(22).matches("[A-Za-z0-9_-]+");
    assertThat(RequestId.parse(id.toString())).isEqualTo(id);
  }

  @Test
  void onlyOneSpellingOfAnIdIsRead() {
    assertThat(RequestId.parse("AAAAAAAAAAAAAAAAAAAAAA")).isEqualTo(new RequestId(0, 0));
    assertThat(RequestId.parse("AAAAAAAAAAAAAAAAAAAAAB")).isNull();
    assertThat(RequestId.parse("AAAAAAAAAAAAAAAAAAAAA=")).isNull();
    assertThat(RequestId.parse("")).isNull();
  }

  @Property
  void textFormIsTheBase64UrlOfTheBytes(@ForAll long high, @ForAll long low) {
    RequestId id = new RequestId(high, low);

    assertThat(id.toString())
        .isEqualTo(Base64.getUrlEncoder().withoutPadding().encodeToString(id.toBytes()));
    assertThat(RequestId.parse(id.toString())).isEqualTo(id);
  }

  @Property
  void whatIsReadIsWhatWouldBeWritten(
      @ForAll @StringLength(22) @Chars({'A', 'Q', 'g', 'w', 'z', '0', '9', '-', '_', '+', '=', 'é'})
          String text) {
    RequestId id = RequestId.parse(text);

    boolean digits = text.matches("[A-Za-z0-9_-]{21}[AQgw]");
    assertThat(id != null).isEqualTo(digits);
    if (id != null) {
      assertThat(id.toString()).isEqualTo(text);
    }
  }
}
