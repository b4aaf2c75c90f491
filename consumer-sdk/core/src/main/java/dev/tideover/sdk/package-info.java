@NullMarked
package dev.tideover.sdk;

import org.jspecify.annotations.NullMarked;
