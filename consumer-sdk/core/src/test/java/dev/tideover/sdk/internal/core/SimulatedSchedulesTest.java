package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/**
 * Schedules by which the simulator has found something, as it has shrunk them. {@link
 * Simulation#tell} tells what happens in one.
 */
class SimulatedSchedulesTest {

  @Test
  void aCrashBetweenAnAdoptionAndItsFirstCommitDoesNotStopThePartition() {
    keepsItsPromises(65536, 63, 59);
  }

  @Test
  void aHandlerThatRanOutOfTimeBeforeIsInterruptedAgainNotGivenUpAtOnce() {
    keepsItsPromises(33554944, 45772);
  }

  @Test
  void aProbeThatDoesNotReachItsHandlerMakesRoomForAnother() {
    keepsItsPromises(545259520, 63435, 37959);
  }

  @Test
  void aRequestThatWaitsToBeSentAgainLeavesNothingBehindWhenItsPartitionGoes() {
    keepsItsPromises(9568256, 58, 3, 36999, 6, 5, 372, 14138, 0, 61);
  }

  @Test
  void aRecordedStartWaitsWhileAnotherRequestRunsAlone() {
    keepsItsPromises(50365568, 47311, 8, 9, 14, 7, 14, 10, 13, 8, 15, 52235);
  }

  @Test
  void aRequestThatCameBackWithAnInfrastructureFaultIsNotBlamedForALaterCrash() {
    keepsItsPromises(50331712, 53070, 47119);
  }

  @Test
  void aRequestThatWasGivenBackInGoodOrderIsNotBlamedForALaterCrash() {
    keepsItsPromises(50594048, 5, 47053, 49674, 2, 41221, 56, 61, 3, 445, 507, 55, 4, 2, 62, 57);
  }

  @Test
  void aRequestThatIsDeadForItsCrashesStaysDeadUntilItsOffsetIsCommitted() {
    keepsItsPromises(16777216, 53006, 49354);
  }

  @Test
  void aNoteDoesNotSayCleanWhileARequestHasYetToStart() {
    keepsItsPromises(8650890, 22861, 24396, 39944, 5, 0, 277, 59, 57);
  }

  @Test
  void aCloseBeforeTheFirstCommitDoesNotLookLikeACrash() {
    keepsItsPromises(262144, 59, 57);
  }

  @Test
  void aCommitThatIsNeverAnsweredIsMadeAgain() {
    keepsItsPromises(2097152, 10, 59, 4, 243, 62, 52485);
  }

  @Test
  void whatIsKnownToBeDoneStaysKnownWhenThePartitionMovesTwice() {
    keepsItsPromises(318767104, 42319, 49803, 53583);
  }

  @Test
  void aSuspectStaysOneWhenItsOwnerLosesThePartitionAndGetsItAgain() {
    keepsItsPromises(
        16908288, 4, 49545, 63, 62, 56, 6, 59, 63, 2, 55, 5, 1, 60, 61, 60, 3, 62, 58, 56, 60, 5,
        62, 61);
  }

  @Test
  void aFailedRequestThatIsSentAgainAndThenCancelledFreesItsKey() {
    keepsItsPromises(
        1145178288,
        13,
        2957,
        12,
        62,
        13439,
        8385,
        23692,
        23355,
        51465,
        36926,
        63,
        2,
        14,
        14,
        466,
        41022,
        5133,
        2,
        61,
        44039);
  }

  /** The former owner knows that the request has begun, and its entry comes late. */
  @Test
  void aLateEntryOfAFormerOwnerDoesNotBringBackWhatIsCancelled() {
    int config = 1078068224;
    int[] schedule = {5, 2, 19151, 6, 5065, 16, 61, 58, 5, 59, 63, 61};

    keepsItsPromises(config, schedule);
    Violation found =
        Simulation.run(
            new SimConfig(config), schedule, SimFault.CANCELLATION_NOT_RECORDED, new SimCoverage());
    assertThat(found).isNotNull();
    assertThat(found.promise).isEqualTo(Violation.Promise.CANCELLED);
  }

  /** The reply waits to be sent again, and an earlier request of the partition fails for good. */
  @Test
  void whatWasHandledIsAnsweredBeforeItsPartitionIsGivenUp() {
    keepsItsPromises(-2137784064, 1, 39503, 8, 1, 26558, 57);
  }

  /** One of two is acknowledged, and what the other has is committed. */
  @Test
  void aCommitWaitsForItsOwnBatchAndNotForAnyOne() {
    int config = -2143025958;
    int[] schedule = {11, 3448, 19340, 57, 25481, 21, 60, 1, 957, 3, 3, 435, 259, 56, 19, 33296};

    keepsItsPromises(config, schedule);
    Violation found =
        Simulation.run(
            new SimConfig(config), schedule, SimFault.ANOTHER_BATCH_COUNTS, new SimCoverage());
    assertThat(found).isNotNull();
    assertThat(found.promise).isEqualTo(Violation.Promise.REMEMBERED);
  }

  @Test
  void aFailedRequestWhoseReplyWasWithheldFreesItsKeyWhenThatIsSent() {
    keepsItsPromises(
        new SimConfig(50335491, 4),
        119,
        4424,
        2291,
        73,
        79,
        1161,
        49294,
        72,
        73,
        32842,
        42250,
        59660,
        4,
        118,
        8824,
        59,
        447,
        116,
        0,
        3126,
        61366,
        5,
        3,
        62,
        26,
        55,
        115,
        57,
        24,
        47,
        3);
  }

  private static void keepsItsPromises(int config, int... schedule) {
    keepsItsPromises(new SimConfig(config), schedule);
  }

  private static void keepsItsPromises(SimConfig config, int... schedule) {
    Violation violation = Simulation.run(config, schedule, SimFault.NONE, new SimCoverage());

    assertThat(violation).as(() -> Simulation.tell(config, schedule, SimFault.NONE)).isNull();
  }
}
