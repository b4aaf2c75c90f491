package dev.tideover.gateway.route;

import java.util.List;

/**
 * A path with holes: {@code *} stands for one segment, {@code **} at the end for the rest, also for
 * none. Literal segments compare as they stand in canonical paths. Immutable.
 *
 * <p>Patterns order from the more to the less specific: at the first segment where two differ a
 * literal comes before {@code *}, that before the pattern's end, and that before {@code **}. So
 * which route takes a request does not depend on the order in the file.
 */
record PathPattern(List<String> segments) implements Comparable<PathPattern> {

  private static final String ONE = "*";
  private static final String REST = "**";

  /**
   * Reads a pattern.
   *
   * @throws IllegalArgumentException with what is wrong with it
   */
  static PathPattern parse(String text) {
    RequestTarget target;
    try {
      target = RequestTarget.parse(text);
    } catch (RequestTarget.IllegalTargetException e) {
      throw new IllegalArgumentException(e.getMessage());
    }
    if (target.query() != null) {
      throw new IllegalArgumentException("a pattern has no query");
    }
    if (!target.path().equals(text)) {
      throw new IllegalArgumentException("not canonical, expected " + target.path());
    }
    List<String> segments = target.segments();
    for (int i = 0; i < segments.size(); i++) {
      String segment = segments.get(i);
      if (segment.equals(REST) && i < segments.size() - 1) {
        throw new IllegalArgumentException("** is allowed at the end only");
      }
      if (segment.contains(ONE) && !segment.equals(ONE) && !segment.equals(REST)) {
        throw new IllegalArgumentException("* stands for a whole segment");
      }
    }
    return new PathPattern(segments);
  }

  boolean matches(List<String> path) {
    for (int i = 0; i < segments.size(); i++) {
      String segment = segments.get(i);
      if (segment.equals(REST)) {
        return true;
      }
      boolean matches =
          i < path.size()
              && (segment.equals(path.get(i)) || segment.equals(ONE) && !path.get(i).isEmpty());
      if (!matches) {
        return false;
      }
    }
    return path.size() == segments.size();
  }

  /** Whether every path that it matches has at least this many segments. */
  boolean alwaysHas(int count) {
    return endsOpen() ? segments.size() - 1 >= count : segments.size() >= count;
  }

  boolean endsOpen() {
    return segments.get(segments.size() - 1).equals(REST);
  }

  @Override
  public int compareTo(PathPattern other) {
    for (int i = 0; i < Math.max(segments.size(), other.segments.size()); i++) {
      int order = Integer.compare(rank(i), other.rank(i));
      if (order == 0) {
        // Equal ranks: both have the segment, since two patterns of which both ended are equal.
        order = segments.get(i).compareTo(other.segments.get(i));
      }
      if (order != 0) {
        return order;
      }
    }
    return 0;
  }

  private int rank(int index) {
    if (index >= segments.size()) {
      return 2;
    }
    String segment = segments.get(index);
    return segment.equals(REST) ? 3 : segment.equals(ONE) ? 1 : 0;
  }

  @Override
  public String toString() {
    return "/" + String.join("/", segments);
  }
}
