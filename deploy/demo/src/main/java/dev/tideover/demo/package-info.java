@NullMarked
package dev.tideover.demo;

import org.jspecify.annotations.NullMarked;
