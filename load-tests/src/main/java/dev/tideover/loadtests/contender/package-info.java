/**
 * What the SDK is compared with when it drains a topic, each as a process that takes the same
 * orders: {@link dev.tideover.loadtests.contender.Contender}.
 */
@NullMarked
package dev.tideover.loadtests.contender;

import org.jspecify.annotations.NullMarked;
