from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integration", "0012_refused_and_unproven")]

    operations = [
        migrations.AddField(
            "syncrule",
            "companies_for_all",
            models.CharField(default="", editable=False, max_length=8),
        ),
    ]
