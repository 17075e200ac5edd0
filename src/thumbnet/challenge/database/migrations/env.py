"""Alembic runs this file; the connection, within a transaction, is given by `migrating.migrate`."""

from alembic import context

from thumbnet.challenge.database.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
