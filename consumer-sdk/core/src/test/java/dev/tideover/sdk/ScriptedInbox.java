package dev.tideover.sdk;

import dev.tideover.sdk.Inbox.Standing;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/** An inbox that says what a test wants it to, and writes down what it was asked. */
final class ScriptedInbox implements Inbox {

  final List<String> asked = new ArrayList<>();

  /** What to answer instead of the ordinary; null for the ordinary. */
  Standing onStart;

  Standing onComplete;
  Standing onFailed;
  Standing onBury;
  Standing onFind;

  /** Thrown by every method, if not null. */
  RuntimeException trouble;

  private int starts;

  private Standing answer(String what, Request request, Standing scripted, Standing ordinary) {
    asked.add(what + " " + request.text());
    if (trouble != null) {
      throw trouble;
    }
    return scripted == null ? ordinary : scripted;
  }

  @Override
  public Standing start(Request request, UUID incarnation, boolean alone) {
    return answer("start", request, onStart, new Standing.Open(++starts));
  }

  @Override
  public Standing complete(Request request, Reply reply) {
    return answer("complete", request, onComplete, new Standing.Completed(reply));
  }

  @Override
  public Standing failed(Request request, int start, boolean charge) {
    return answer(
        "failed " + start + (charge ? " charged" : " free"),
        request,
        onFailed,
        new Standing.Open(start));
  }

  @Override
  public Standing bury(Request request, int start) {
    return answer("bury " + start, request, onBury, new Standing.Dead());
  }

  @Override
  public Standing find(Request request) {
    return answer("find", request, onFind, new Standing.Open(0));
  }

  @Override
  public void tidy() {
    if (trouble != null) {
      throw trouble;
    }
  }
}
