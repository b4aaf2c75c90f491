/**
 * The record contract, version 1: how a request, a reply and a dead letter look in Kafka.
 *
 * <p>Metadata stands in record headers as UTF-8 text, the body is the record value byte for byte.
 * So any Kafka tool can read a record and any language can write one. The page for people is {@code
 * docs/wire.md}; the golden records under {@code src/test/resources/golden} hold this code to it.
 *
 * <p>Reading is strict and total: whatever bytes a record has, a codec returns an envelope or
 * throws {@link dev.tideover.wire.WireFormatException}, and it allocates in proportion to the
 * headers at most: about twice their size, five times for text that is no longer Latin-1, and never
 * for the body. What correctness rests on is required; what only informs people ({@code
 * tideover-by}, {@code tideover-attempts}) may be absent; unknown {@code tideover-*} headers are
 * ignored, so that a later version can add some.
 */
@NullMarked
package dev.tideover.wire;

import org.jspecify.annotations.NullMarked;
