from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integration", "0011_no_retry_kind")]

    operations = [migrations.AddField("link", "refused", models.JSONField(default=dict))]
