/** The examples that the README and the pages show; compiled by the build. */
@NullMarked
package dev.tideover.examples;

import org.jspecify.annotations.NullMarked;
