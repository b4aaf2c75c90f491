/** The benchmark: starts the processes, alternates the rounds, compares and reports. */
@NullMarked
package dev.tideover.loadtests.bench;

import org.jspecify.annotations.NullMarked;
