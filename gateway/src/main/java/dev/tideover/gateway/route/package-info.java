/**
 * From a request target to the route that takes it. Nothing here knows of HTTP servers or Kafka.
 */
@NullMarked
package dev.tideover.gateway.route;

import org.jspecify.annotations.NullMarked;
