/**
 * The heart: one request from its arrival to its answer, the table of those that wait, and the
 * place to ask for those that didn't.
 */
@NullMarked
package dev.tideover.gateway.exchange;

import org.jspecify.annotations.NullMarked;
