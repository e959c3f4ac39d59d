from django.db import migrations

# What a rule that is being changed held as its reason before codes took the place of sentences.
# Only this one was ever looked for; every other text of before stays as it is.
BEFORE = "Being changed: review it and save."
NOW = '{"code":"being_changed"}'


def use_code(apps, schema_editor):
    rules = apps.get_model("integration", "SyncRule")._base_manager
    rules.filter(state_reason=BEFORE).update(state_reason=NOW)


def use_sentence(apps, schema_editor):
    rules = apps.get_model("integration", "SyncRule")._base_manager
    rules.filter(state_reason=NOW).update(state_reason=BEFORE)


class Migration(migrations.Migration):
    dependencies = [("integration", "0009_short_name")]

    operations = [migrations.RunPython(use_code, use_sentence)]
