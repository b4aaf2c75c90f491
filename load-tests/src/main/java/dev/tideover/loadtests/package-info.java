@NullMarked
package dev.tideover.loadtests;

import org.jspecify.annotations.NullMarked;
