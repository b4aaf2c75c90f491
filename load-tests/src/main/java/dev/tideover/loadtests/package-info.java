/**
 * Black-box measurements of Tideover: its processes are started and spoken to as a user would, and
 * only the wire contract and the test broker are imported.
 */
@NullMarked
package dev.tideover.loadtests;

import org.jspecify.annotations.NullMarked;
