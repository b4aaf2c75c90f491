@NullMarked
package dev.tideover.gateway;

import org.jspecify.annotations.NullMarked;
