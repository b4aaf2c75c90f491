/**
 * The SDK: takes a service's requests from Kafka, calls its handler, sends the replies.
 *
 * <pre>{@code
 * TideoverConsumer consumer = Tideover.service("orders").version("v2")
 *     .bootstrapServers("localhost:9092")
 *     .handler(request -> Outcome.reply(201).json(place(request.json(Order.class))))
 *     .start();                                   // close() drains, commits, leaves
 * }</pre>
 *
 * <p>Start at {@link dev.tideover.sdk.Tideover}. A handler gets a {@link dev.tideover.sdk.Request}
 * and returns an {@link dev.tideover.sdk.Outcome}, a value; the engine acts on it. Requests with
 * one ordering key are handled one at a time in the order of their acceptance, others in parallel.
 * A request may be handled again after a crash: at least once is the promise.
 */
@NullMarked
package dev.tideover.sdk;

import org.jspecify.annotations.NullMarked;
