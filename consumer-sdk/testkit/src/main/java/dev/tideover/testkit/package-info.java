@NullMarked
package dev.tideover.testkit;

import org.jspecify.annotations.NullMarked;
