"""The database itself keeps the audit log: a closed entry never changes, a young one is never deleted.

A later migration that makes SQLite rebuild the entry table drops its triggers: run ``install`` again there.
"""

from django.db import migrations

TABLE = "integration_auditentry"

SQLITE = [
    f"""CREATE TRIGGER audit_closed BEFORE UPDATE ON {TABLE} WHEN OLD.closed_at IS NOT NULL
        BEGIN SELECT RAISE(ABORT, 'a closed audit entry never changes'); END""",
    f"""CREATE TRIGGER audit_kept BEFORE DELETE ON {TABLE}
        WHEN OLD.closed_at IS NULL OR OLD.closed_at >
             (SELECT strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || a.retention_days || ' days') FROM core_account a WHERE a.id = OLD.account_id)
        BEGIN SELECT RAISE(ABORT, 'an audit entry is kept until its retention ends'); END""",
]
POSTGRESQL = [
    f"""CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF OLD.closed_at IS NOT NULL THEN RAISE EXCEPTION 'a closed audit entry never changes'; END IF;
            RETURN NEW;
        END IF;
        IF OLD.closed_at IS NULL OR OLD.closed_at >
           now() - make_interval(days => (SELECT a.retention_days FROM core_account a WHERE a.id = OLD.account_id)) THEN
            RAISE EXCEPTION 'an audit entry is kept until its retention ends';
        END IF;
        RETURN OLD;
    END $$""",
    f"CREATE TRIGGER audit_guard BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION audit_guard()",
]


def install(apps, schema_editor):
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        # No parameters: strftime's percent signs must reach the database as they stand.
        schema_editor.execute(statement, params=None)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP TRIGGER audit_guard ON {TABLE}", params=None)
        schema_editor.execute("DROP FUNCTION audit_guard()", params=None)
    else:
        schema_editor.execute("DROP TRIGGER audit_closed", params=None)
        schema_editor.execute("DROP TRIGGER audit_kept", params=None)


class Migration(migrations.Migration):
    dependencies = [("integration", "0001_initial"), ("core", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
