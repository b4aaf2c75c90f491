package dev.tideover.gateway.http;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What waits for a service, as operators see it.
 *
 * @param waiting requests that are not known to be done, those under way among them
 * @param oldest how long the oldest of them has waited; zero if there is none, null if unknown
 * @param perSecond how many are done in a second; 0 where none are, or it isn't known
 */
public record ServiceLoad(long waiting, @Nullable Duration oldest, double perSecond) {}
