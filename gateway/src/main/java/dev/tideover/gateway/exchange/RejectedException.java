package dev.tideover.gateway.exchange;

/** Carries a refusal through futures. No stack trace: it is an answer, not a fault. */
public final class RejectedException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final transient Answer answer;

  public RejectedException(Answer.Reason reason, String detail) {
    this(new Answer.Rejected(reason, detail));
  }

  RejectedException(Answer answer) {
    super(answer.toString(), null, false, false);
    this.answer = answer;
  }

  Answer answer() {
    return answer;
  }
}
