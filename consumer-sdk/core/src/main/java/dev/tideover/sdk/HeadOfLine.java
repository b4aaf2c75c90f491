package dev.tideover.sdk;

import java.time.Duration;

/**
 * The oldest request of a partition that hasn't ended: what its commit waits for, and the first to
 * look at when a partition doesn't get on.
 *
 * @param partition of the request topic
 * @param offset of its record
 * @param id its request id; empty for a record that can't be read
 * @param age since its acceptance by the gateway, about a second ago; never negative
 * @param attempts how many have failed
 */
public record HeadOfLine(int partition, long offset, String id, Duration age, int attempts) {}
