from django.db import migrations, models


def spare_rules_with_a_budget(apps, schema_editor):
    """A rule that runs with companies looks once at everybody who is in sync without one. Where a
    change budget might hold it for that, it goes on as before.
    """
    rules = apps.get_model("integration", "SyncRule")._base_manager.exclude(companies="none")
    for rule in rules.only("pk", "companies", "limits"):
        if "updates" in (rule.limits or {}):
            rules.filter(pk=rule.pk).update(companies_for_all=rule.companies)


class Migration(migrations.Migration):
    dependencies = [("integration", "0012_refused_and_unproven")]

    operations = [
        migrations.AddField(
            "syncrule",
            "companies_for_all",
            models.CharField(default="", editable=False, max_length=8),
        ),
        migrations.RunPython(spare_rules_with_a_budget, migrations.RunPython.noop),
    ]
