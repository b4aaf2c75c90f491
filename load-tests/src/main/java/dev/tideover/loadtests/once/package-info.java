/**
 * One request, one effect, while everything is killed in turn: {@link
 * dev.tideover.loadtests.once.OnceCommand}.
 */
@NullMarked
package dev.tideover.loadtests.once;

import org.jspecify.annotations.NullMarked;
