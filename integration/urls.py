"""What HubSpot calls. Everything else of the product is in the admin."""

from django.urls import path

from integration.webhooks import HubSpotWebhook

urlpatterns = [path("hubspot/", HubSpotWebhook.as_view(), name="hubspot_webhook")]
