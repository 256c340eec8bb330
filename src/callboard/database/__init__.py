"""The one writer with group commit, the readers, the SQL, the migrations.

Owns: everything that speaks SQL. Touches no other room of the house.

Always holds: `commit` returns only when the unit would survive a power cut. A commit that fails stops all further
writing (`DatabaseStopped`): the process has to start again from what the database holds.
"""

from callboard.database.factory import open_database
from callboard.database.interface import Database, DatabaseBusy, DatabaseStopped, GuardFailed, QueryFailed, Row
from callboard.database.units import Append, Appended, Column, Delete, Guard, Kind, Put, Puts, Table, Unit, Value

__all__ = [
    "Append",
    "Appended",
    "Column",
    "Database",
    "DatabaseBusy",
    "DatabaseStopped",
    "Delete",
    "Guard",
    "GuardFailed",
    "Kind",
    "Put",
    "Puts",
    "QueryFailed",
    "Row",
    "Table",
    "Unit",
    "Value",
    "open_database",
]
