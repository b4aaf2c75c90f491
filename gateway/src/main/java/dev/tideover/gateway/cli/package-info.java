/** The command line. */
@NullMarked
package dev.tideover.gateway.cli;

import org.jspecify.annotations.NullMarked;
