/**
 * The inbox in a database that JDBC reaches: {@link dev.tideover.sdk.jdbc.JdbcInbox}. It needs
 * nothing but a {@code javax.sql.DataSource}.
 */
@NullMarked
package dev.tideover.sdk.jdbc;

import org.jspecify.annotations.NullMarked;
