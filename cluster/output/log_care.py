"""What keeps an index small and its commits cheap, however many there are.

Every commit adds a file and a line to the log, and the library looks through all of those that it
has seen since it opened the table. So the table is opened anew now and then, its small files are
merged, and what merging leaves behind is removed after a day, in which whoever reads the index as
it was may still do so.
"""

from __future__ import annotations

from contextlib import suppress

from deltalake import CommitProperties, DeltaTable

REOPEN_COMMITS = 100
"""So many, and the table is opened anew."""
MOST_FILES = 100
"""So many, and they are merged."""
FILE_BYTES = 128 * 1024 * 1024
"""Of a merged file."""
KEPT_HOURS = 24
CONFIGURATION: dict[str, str | None] = {
    "delta.checkpointInterval": "100",
    "delta.dataSkippingStatsColumns": "request_id,status",
    "delta.logRetentionDuration": f"interval {KEPT_HOURS} hours",
    "delta.deletedFileRetentionDuration": f"interval {KEPT_HOURS} hours",
}
"""Of a new index. Figures of all columns of all files would be most of the log."""


def merge_files(table: DeltaTable, most: int, properties: CommitProperties | None = None) -> bool:
    """Merge the files of ``table`` if there are more than ``most``; whether it did. Raises what the
    library raises."""
    if len(table.file_uris()) <= most:
        return False
    table.optimize.compact(
        target_size=FILE_BYTES, max_concurrent_tasks=1, commit_properties=properties
    )
    # What is left behind costs room only: a store that fails over it fails nothing.
    with suppress(Exception):
        table.vacuum(KEPT_HOURS, dry_run=False, enforce_retention_duration=False)
        table.cleanup_metadata()
    return True
