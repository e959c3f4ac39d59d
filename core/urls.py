"""The admin is the product's face; everything else is its own pages inside it."""

from django.urls import path
from django.views.generic import RedirectView

from core.admin.site import site

urlpatterns = [
    path("admin/", site.urls),
    path("", RedirectView.as_view(url="/admin/", permanent=False)),
]
