/**
 * The gateway: HTTP in front, Kafka behind. A request's way is written in {@link
 * dev.tideover.gateway.exchange.Exchange#run}; {@link dev.tideover.gateway.Gateway} puts the parts
 * together.
 */
@NullMarked
package dev.tideover.gateway;

import org.jspecify.annotations.NullMarked;
