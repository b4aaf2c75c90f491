/**
 * The drill: releases of a service under load, through Tideover and through HAProxy, and what
 * became of each request.
 */
@NullMarked
package dev.tideover.loadtests.drill;

import org.jspecify.annotations.NullMarked;
