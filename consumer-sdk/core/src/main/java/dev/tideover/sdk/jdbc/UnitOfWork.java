package dev.tideover.sdk.jdbc;

import dev.tideover.sdk.Outcome;
import java.sql.Connection;

/** A handler's effects, for {@link JdbcInbox#transaction}. */
@FunctionalInterface
public interface UnitOfWork {

  /**
   * Makes the effects.
   *
   * @param connection in the transaction. Leave its end to the inbox: no commit, no rollback (but
   *     to a savepoint), no autocommit, no close. Don't keep it
   * @return a reply, and then the effects are committed with it; any other outcome rolls them back
   * @throws Exception anything; it rolls them back, and is treated as if the handler had thrown it
   */
  Outcome run(Connection connection) throws Exception;
}
