package dev.tideover.wire;

/** Non-negative decimal numbers as the contract writes them: digits only, no sign, no zero fill. */
final class Decimals {

  /** 18 digits always fit into a long, so no overflow can pass unseen. */
  private static final int MAX_DIGITS = 18;

  /** The number that stands in {@code text} from {@code start} to its end, or -1 if none does. */
  static long parse(String text, int start) {
    int digits = text.length() - start;
    if (digits < 1 || digits > MAX_DIGITS || digits > 1 && text.charAt(start) == '0') {
      return -1;
    }
    long value = 0;
    for (int i = start; i < text.length(); i++) {
      int digit = text.charAt(i) - '0';
      if (digit < 0 || digit > 9) {
        return -1;
      }
      value = value * 10 + digit;
    }
    return value;
  }

  private Decimals() {}
}
