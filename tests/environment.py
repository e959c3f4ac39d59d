"""Loaded by pytest before Django reads its settings (pyproject.toml): tests need no secrets of
anybody's, and what costs time and proves nothing is done cheaply.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("DEBUG", "1")
# Names a folder of the whole test run, whose processes inherit it.
SHARED_FOLDER = "MEISHI_TESTS_FOLDER"


def pytest_configure(config: pytest.Config) -> None:
    """The first process makes the shared folder, and takes it away when it ends."""
    if SHARED_FOLDER not in os.environ:
        os.environ[SHARED_FOLDER] = tempfile.mkdtemp(prefix="meishi-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(SHARED_FOLDER), ignore_errors=True))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What has been loaded by now stays to the end: the collector need not walk through it again
    and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def cheap_settings(django_test_environment: None) -> Iterator[None]:
    """Passwords are hashed quickly, and no client looks for every static file when it is made.

    Products in processes of their own (tests/process.py) are as they are delivered.
    """
    from django.conf import settings
    from django.test import override_settings

    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        MIDDLEWARE=[name for name in settings.MIDDLEWARE if "whitenoise" not in name],
    ):
        yield


@pytest.fixture(scope="session", autouse=True)
def rendering_noted_once_a_page(django_test_environment: None) -> Iterator[None]:
    """Django's test client notes every template with a copy of its context, for
    ``response.context``: a page of a hundred fields has a thousand, of widgets and their options.
    Noted are the pages themselves; what they include sees the page's own context.
    """
    from django.template.base import Template

    # The stubs leave it out.
    from django.test.utils import instrumented_test_render  # type: ignore[attr-defined]

    def render(self: Any, context: Any) -> Any:
        if context.template is self and not (self.name or "").startswith("django/forms/"):
            return instrumented_test_render(self, context)
        return self.nodelist.render(context)

    before, Template._render = Template._render, render  # type: ignore[attr-defined]
    yield
    Template._render = before  # type: ignore[attr-defined]
