/**
 * The ceiling: the same way through Kafka with no features at all, written as well as the libraries
 * allow. What Tideover costs is what it loses against these.
 */
@NullMarked
package dev.tideover.loadtests.bare;

import org.jspecify.annotations.NullMarked;
