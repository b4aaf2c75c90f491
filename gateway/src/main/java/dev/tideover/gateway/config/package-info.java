/** The configuration: immutable records that can't be built wrong, and the file they come from. */
@NullMarked
package dev.tideover.gateway.config;

import org.jspecify.annotations.NullMarked;
