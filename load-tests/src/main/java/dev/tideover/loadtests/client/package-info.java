/**
 * A closed-loop HTTP/1.1 client that costs little: one thread, one selector, prebuilt requests, and
 * no more parsing than it takes to check every response.
 */
@NullMarked
package dev.tideover.loadtests.client;

import org.jspecify.annotations.NullMarked;
