package dev.tideover.wire;

import static org.assertj.core.api.Assertions.assertThat;

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
}
