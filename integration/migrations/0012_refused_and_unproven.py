from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integration", "0011_no_retry_kind")]

    operations = [
        migrations.AddField(
            "connection", "found_id", models.CharField(default="", editable=False, max_length=100)
        ),
        migrations.AddField(
            "connection", "unproven", models.BooleanField(default=False, editable=False)
        ),
        migrations.AddField("link", "refused", models.JSONField(default=dict)),
    ]
