"""What SQLite's planner should take for granted about the large tables.

Without statistics it supposes that ten rows share an account or a rule, takes the index that begins with it, and reads every
row of the account for each batch of a sync. Here it is told that these columns say little and the others much. `ANALYZE`, run
by anybody at any time, puts the true figures in place of these. A later migration that makes SQLite rebuild one of the tables
drops its figures: run ``install`` again there. PostgreSQL keeps statistics by itself.
"""

from django.db import migrations

TABLES = ("integration_record", "integration_link", "integration_auditentry", "integration_syncrun")
ROWS = 1_000_000
# Partial indexes over the few rows that are at work.
FEW = {"record_due": 10_000, "one_open_entry_per_record": 200}
# Share of the rows that one value of a column leaves; of any other column it is one in a million.
SHARE = {
    "account_id": 0.1, "rule_id": 0.05, "hubspot_id": 0.1, "connection_id": 0.05, "run_id": 0.001, "side": 0.5, "bucket": 0.3, "reason": 0.2,
    "outcome": 0.3, "state": 0.3,
}  # fmt: skip


def install(apps, schema_editor):
    if schema_editor.connection.vendor != "sqlite":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # makes the table of statistics
        for table in TABLES:
            cursor.execute(f'PRAGMA index_list("{table}")')
            for name in [row[1] for row in cursor.fetchall()]:
                cursor.execute(f'PRAGMA index_info("{name}")')
                columns = [row[2] for row in cursor.fetchall()]
                cursor.execute("DELETE FROM sqlite_stat1 WHERE tbl = %s AND idx = %s", [table, name])
                cursor.execute("INSERT INTO sqlite_stat1 VALUES (%s, %s, %s)", [table, name, figures(name, columns)])
        cursor.execute("ANALYZE sqlite_schema")  # makes this connection read them


def figures(name, columns):
    """How many rows the index has, and how many share a value of its first column, of its first two, ..."""
    rows = FEW.get(name, ROWS)
    left, found = float(rows), [rows]
    for column in columns:
        left = max(left * SHARE.get(column, 0.000_001), 1.0)
        found.append(round(left))
    return " ".join(map(str, found))


class Migration(migrations.Migration):
    dependencies = [("integration", "0002_audit_guard")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
