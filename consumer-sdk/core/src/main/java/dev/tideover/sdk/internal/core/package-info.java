/**
 * The core: which request may start, and which offset may be committed. Pure: no threads, no clock,
 * no Kafka client, time is a parameter; so a test can drive it through any schedule. {@link
 * dev.tideover.sdk.internal.core.Lanes} is the only door.
 */
@NullMarked
package dev.tideover.sdk.internal.core;

import org.jspecify.annotations.NullMarked;
