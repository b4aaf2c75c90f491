package dev.tideover.sdk.internal.core;

/**
 * What an instance does now, for its reports.
 *
 * @param parked requests that are kept since they have failed on trial
 * @param running handlers that run
 * @param oldestRunningNanos how long the oldest of those has run; 0 for none
 */
public record Activity(int parked, int running, long oldestRunningNanos) {}
