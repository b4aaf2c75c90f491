/**
 * How fast the SDK drains a topic beside a bare loop and a peer, and in how much memory. From
 * outside: it writes requests, reads replies, and knows nothing of the programs between.
 */
@NullMarked
package dev.tideover.loadtests.drain;

import org.jspecify.annotations.NullMarked;
