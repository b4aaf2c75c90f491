/** Hold, resume and release: what operators can want of a service, and how it comes about. */
@NullMarked
package dev.tideover.gateway.release;

import org.jspecify.annotations.NullMarked;
