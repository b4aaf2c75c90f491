/**
 * The rolling restart of two gateways behind HAProxy, under load: {@link
 * dev.tideover.loadtests.rolling.RollingCommand}.
 */
@NullMarked
package dev.tideover.loadtests.rolling;

import org.jspecify.annotations.NullMarked;
