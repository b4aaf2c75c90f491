/**
 * What the gateway does with Kafka: append requests, follow the replies, read one again. No Vert.x
 * here, and nothing of the exchange: both meet in futures and listeners.
 */
@NullMarked
package dev.tideover.gateway.kafka;

import org.jspecify.annotations.NullMarked;
