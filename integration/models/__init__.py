from integration.models.company import Company
from integration.models.connection import Connection, RateSlot
from integration.models.entry import AuditEntry, Outcome
from integration.models.figures import DayFigures
from integration.models.heartbeat import Heartbeat
from integration.models.inbox import ContactChange
from integration.models.link import Link
from integration.models.mapping import FieldMapping
from integration.models.record import Bucket, Record, Side
from integration.models.rule import SyncRule
from integration.models.run import COUNTERS, SyncRun
from integration.models.sample import Sample
from integration.models.tag import Tag

__all__ = [
    "COUNTERS",
    "AuditEntry",
    "Bucket",
    "Company",
    "Connection",
    "ContactChange",
    "DayFigures",
    "FieldMapping",
    "Heartbeat",
    "Link",
    "Outcome",
    "RateSlot",
    "Record",
    "Sample",
    "Side",
    "SyncRule",
    "SyncRun",
    "Tag",
]
