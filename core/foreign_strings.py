"""What unfold and simple_history show in English only, named here so that `makemessages` keeps it
in our own catalogue.

Neither ships a Japanese translation, and `makemessages` does not look into other packages. What
Django itself translates is not listed. Nothing imports this module. tests/test_translations.py says
when a string is missing or no longer used.
"""

from django.utils.translation import gettext_noop

UNFOLD_STRINGS = (
    gettext_noop("Select action"),
    gettext_noop("Select record"),
    gettext_noop("Date from"),
    gettext_noop("Date to"),
    gettext_noop("From"),
    gettext_noop("To"),
    gettext_noop("Value"),
    gettext_noop("Not enough data."),
    gettext_noop(
        "Raw passwords are not stored, so there is no way to see this user’s password, but you "
        "can change the password "
        'using <a href="{}" class="text-primary-600 dark:text-primary-500">this form</a>.'
    ),
    gettext_noop("Select action to run"),
    gettext_noop("Select value"),
    gettext_noop("Dataset not found. No action performed."),
    gettext_noop("You can not create nested object without parent"),
    gettext_noop("Run"),
    gettext_noop("After you've created a user, you’ll be able to edit more user options."),
    gettext_noop("Filters"),
    gettext_noop("Expand row"),
    gettext_noop("Forgotten your password or username?"),
    gettext_noop("Welcome"),
    gettext_noop("Welcome back to"),
    gettext_noop("Type to search"),
    gettext_noop("You have been successfully logged out from the administration"),
    gettext_noop("No data"),
    gettext_noop("More actions"),
    gettext_noop("All applications"),
    gettext_noop("False"),
    gettext_noop("True"),
    gettext_noop("Apply Filters"),
    gettext_noop("Select all rows"),
    gettext_noop("No recent searches"),
    gettext_noop("Recent searches"),
    gettext_noop("Loading more results..."),
    gettext_noop("No results matching your query"),
    gettext_noop("Cancel"),
    gettext_noop("Submit"),
    gettext_noop("Record picture"),
    gettext_noop("Click to cancel"),
    gettext_noop("This item will be deleted."),
    gettext_noop("No results found"),
    gettext_noop("Reset filters"),
    gettext_noop("This page yielded into no results. Create a new item or reset your filters."),
    gettext_noop("Click to download"),
    gettext_noop("Image preview"),
    gettext_noop("Go back"),
    gettext_noop("Next"),
    gettext_noop("Previous"),
    gettext_noop("Search apps and models..."),
    gettext_noop("General"),
    gettext_noop("Dark"),
    gettext_noop("Light"),
    gettext_noop("System"),
    gettext_noop("Return to site"),
    gettext_noop("Choose file to upload"),
    gettext_noop("Toggle password visibility"),
    gettext_noop("Date"),
    gettext_noop("Add row"),
    gettext_noop("Select currency"),
)

SIMPLE_HISTORY_STRINGS = (
    gettext_noop("Revert %s"),
    gettext_noop('The %(name)s "%(obj)s" was changed successfully.'),
    gettext_noop("View history: %s"),
    gettext_noop("You may edit it again below"),
    gettext_noop("Changed"),
    gettext_noop("Created"),
    gettext_noop("Deleted %(type_name)s"),
    gettext_noop("Deleted"),
    gettext_noop("This object doesn't have a change history."),
    gettext_noop(
        "Choose a date from the list below to revert to a previous version of this object."
    ),
    gettext_noop("Press the 'Change History' button below to edit the history."),
    gettext_noop("Press the 'Revert' button below to revert to this version of the object."),
    gettext_noop("Revert %(verbose_name)s"),
    gettext_noop("View %(verbose_name)s"),
    gettext_noop("Change reason"),
    gettext_noop("Changed by"),
    gettext_noop("Changes"),
    gettext_noop("Comment"),
    gettext_noop("Object"),
    gettext_noop("Change History"),
    gettext_noop("Revert"),
)
