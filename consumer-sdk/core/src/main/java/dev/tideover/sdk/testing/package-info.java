/**
 * The engine by hand, for tests of handlers and of what is built around them: no broker, no
 * threads, no waiting. {@link dev.tideover.sdk.testing.ManualConsumer} runs the same engine that
 * production does, on the test's thread and on the test's clock.
 */
@NullMarked
package dev.tideover.sdk.testing;

import org.jspecify.annotations.NullMarked;
