"""The admin is the product's face; everything else is its own pages inside it, and the page that an
invitation leads to.
"""

from django.conf import settings
from django.urls import include, path
from django.views.generic import RedirectView

from core.admin.site import site
from core.invitation_views import InvitationView

urlpatterns = [
    path("admin/", site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("invitation/<str:token>/", InvitationView.as_view(), name="invitation"),
    # Named in the settings: the platform knows no sync.
    path("webhooks/", include(settings.WEBHOOK_URLS)),
    path("", RedirectView.as_view(url="/admin/", permanent=False)),
]
