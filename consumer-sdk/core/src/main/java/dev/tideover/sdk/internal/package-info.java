/**
 * The engine. Not API: anything here may change with any release.
 *
 * <p>Start reading at {@link dev.tideover.sdk.internal.PollLoop}, which has the way of a request
 * from top to bottom. {@code docs/sdk.md} names every thread and what it may do.
 */
@NullMarked
package dev.tideover.sdk.internal;

import org.jspecify.annotations.NullMarked;
