"""An account that is being deleted (``leaving_at``) takes its audit log along; nothing else may delete a young entry.

Also puts back what 0004 cost on SQLite: a table that it rebuilt has lost its triggers (0002) and its figures (0003).
A later migration that makes SQLite rebuild the entry table runs ``install`` of this one again.
"""

from importlib import import_module

from django.db import migrations

guard = import_module("integration.migrations.0002_audit_guard")
statistics = import_module("integration.migrations.0003_statistics")

SQLITE = [
    guard.SQLITE[0],
    f"""CREATE TRIGGER audit_kept BEFORE DELETE ON {guard.TABLE}
        WHEN (SELECT a.leaving_at FROM core_account a WHERE a.id = OLD.account_id) IS NULL
             AND (OLD.closed_at IS NULL OR OLD.closed_at >
             (SELECT strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || a.retention_days || ' days') FROM core_account a WHERE a.id = OLD.account_id))
        BEGIN SELECT RAISE(ABORT, 'an audit entry is kept until its retention ends'); END""",
]
POSTGRESQL = [
    """CREATE OR REPLACE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE leaving timestamptz; days int;
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF OLD.closed_at IS NOT NULL THEN RAISE EXCEPTION 'a closed audit entry never changes'; END IF;
            RETURN NEW;
        END IF;
        SELECT a.leaving_at, a.retention_days INTO leaving, days FROM core_account a WHERE a.id = OLD.account_id;
        IF leaving IS NULL AND (OLD.closed_at IS NULL OR OLD.closed_at > now() - make_interval(days => days)) THEN
            RAISE EXCEPTION 'an audit entry is kept until its retention ends';
        END IF;
        RETURN OLD;
    END $$"""
]
DROPS = ["DROP TRIGGER IF EXISTS audit_closed", "DROP TRIGGER IF EXISTS audit_kept"]


def put(schema_editor, sqlite, postgresql):
    for statement in postgresql if schema_editor.connection.vendor == "postgresql" else [*DROPS, *sqlite]:
        # No parameters: strftime's percent signs must reach the database as they stand.
        schema_editor.execute(statement, params=None)


def install(apps, schema_editor):
    put(schema_editor, SQLITE, POSTGRESQL)
    statistics.install(apps, schema_editor)


def remove(apps, schema_editor):
    put(schema_editor, guard.SQLITE, [guard.POSTGRESQL[0].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")])


class Migration(migrations.Migration):
    dependencies = [("integration", "0004_setup"), ("core", "0002_setup")]
    operations = [migrations.RunPython(install, remove)]
