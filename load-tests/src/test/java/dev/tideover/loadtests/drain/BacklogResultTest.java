package dev.tideover.loadtests.drain;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class BacklogResultTest {

  @Test
  void aLiveSetThatSwaysIsFlat() {
    assertThat(result(List.of(90, 101, 96, 100, 99, 105, 88, 97, 87, 99), 0, 0).isGood()).isTrue();
  }

  @Test
  void aLiveSetThatGrowsIsNot() {
    List<Integer> growing = List.of(30, 34, 38, 42, 46, 50, 54, 58, 62, 66);
    assertThat(result(growing, 0, 0).isGood()).isFalse();
  }

  @Test
  void aLostOrRepeatedReplyIsNoGoodHoweverFlat() {
    List<Integer> flat = List.of(30, 30, 30, 30, 30, 30, 30, 30, 30, 30);
    assertThat(result(flat, 1, 0).isGood()).isFalse();
    assertThat(result(flat, 0, 1).isGood()).isFalse();
  }

  private static Backlog.Result result(List<Integer> live, int lost, int duplicates) {
    return new Backlog.Result(1_000_000, 256, live, 254, 1, lost, duplicates);
  }
}
