/**
 * The only package that sees HTTP requests and responses: reads the one into what an exchange
 * takes, writes what it answers.
 */
@NullMarked
package dev.tideover.gateway.http;

import org.jspecify.annotations.NullMarked;
