"""The closed list of metrics: there are these and no others.

Owns: `Name`, `Metric`, `METRICS`, and the table of them in the docs.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Kind = Literal["gauge", "counter", "histogram"]
Name = Literal[
    "callboard_info",
    "callboard_webhook_attempts_total",
    "callboard_webhook_parked_total",
    "callboard_webhook_expired_total",
    "callboard_webhook_receipt_seconds",
    "callboard_webhook_oldest_due_age_seconds",
    "callboard_webhook_pending_events",
    "callboard_webhook_lanes",
    "callboard_webhook_breaker",
    "callboard_webhook_connections",
    "callboard_database_commit_seconds",
    "callboard_database_waiting_units",
    "callboard_ledger_position",
    "callboard_retention_deleted_total",
    "callboard_sessions",
    "callboard_peers",
    "callboard_http_requests_total",
    "callboard_http_request_seconds",
    "callboard_jobs",
    "callboard_jobs_oldest_age_seconds",
    "callboard_jobs_put_off",
    "callboard_jobs_failed_last_hour",
    "callboard_worker_running",
    "callboard_worker_tries_total",
    "callboard_worker_renewals_total",
    "callboard_worker_last_look_time_seconds",
    "callboard_worker_last_heartbeat_time_seconds",
    "callboard_capture_sessions",
    "callboard_capture_tracks",
    "callboard_capture_files",
    "callboard_capture_bytes_total",
    "callboard_capture_segments_total",
    "callboard_capture_refused_total",
    "callboard_capture_completed_total",
    "callboard_capture_disk_free_bytes",
    "callboard_capture_disk_floor_bytes",
    "callboard_capture_disk_low",
    "callboard_capture_disk_alarms_total",
    "callboard_recording_seconds_total",
    "callboard_recording_lost_packets_total",
    "callboard_children_cpu_seconds_total",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_start_time_seconds",
]


class Metric(NamedTuple):
    """`says` is what one value means; `labels` what tells its series apart; `on_worker`: `callboard worker` shows it
    too, as a server does.
    """

    name: Name
    kind: Kind
    says: str
    labels: tuple[str, ...] = ()
    on_worker: bool = False


_BY_ENDPOINT: Final = ("endpoint",)
ALSO: Final = True

METRICS: Final = (
    Metric("callboard_info", "gauge", "Always 1; the label says which version runs.", ("version",), ALSO),
    Metric(
        "callboard_webhook_attempts_total",
        "counter",
        "Attempts to deliver, by outcome: accepted, or why it failed (docs/webhooks/errors.md).",
        ("endpoint", "outcome"),
    ),
    Metric("callboard_webhook_parked_total", "counter", "Events that were given up and parked.", _BY_ENDPOINT),
    Metric(
        "callboard_webhook_expired_total",
        "counter",
        "Events that retention took away before they were delivered.",
        _BY_ENDPOINT,
    ),
    Metric(
        "callboard_webhook_receipt_seconds",
        "histogram",
        "From an event's commit to its being accepted, of every delivery.",
    ),
    Metric(
        "callboard_webhook_oldest_due_age_seconds",
        "gauge",
        "How long the oldest event that is not delivered has waited since its commit; 0 if there is none.",
        _BY_ENDPOINT,
    ),
    Metric("callboard_webhook_pending_events", "gauge", "Events that are not delivered yet.", _BY_ENDPOINT),
    Metric(
        "callboard_webhook_lanes",
        "gauge",
        "Streams with undelivered events: waiting for their next attempt, or active.",
        ("endpoint", "state"),
    ),
    Metric(
        "callboard_webhook_breaker",
        "gauge",
        "1 for the state that the endpoint is in: closed (it is sent to), open (it fails; its events wait), probing,"
        " paused or disabled by somebody; 0 for the others.",
        ("endpoint", "state"),
    ),
    Metric(
        "callboard_webhook_connections", "gauge", "Connections to the endpoint: busy or idle.", ("endpoint", "state")
    ),
    Metric(
        "callboard_database_commit_seconds",
        "histogram",
        "How long a transaction took, the disk's sync included.",
        on_worker=ALSO,
    ),
    Metric("callboard_database_waiting_units", "gauge", "Changes that wait to be committed.", on_worker=ALSO),
    Metric(
        "callboard_ledger_position",
        "gauge",
        "The position of the newest event: its rise is the rate of events.",
        on_worker=ALSO,
    ),
    Metric(
        "callboard_retention_deleted_total",
        "counter",
        "Rows that were deleted because they were old: events; of these expired, which an endpoint may not have had;"
        " attempts, with replays.",
        ("what",),
    ),
    Metric("callboard_sessions", "gauge", "Open sessions of this node."),
    Metric("callboard_peers", "gauge", "Peers in them."),
    Metric(
        "callboard_http_requests_total",
        "counter",
        "Requests answered, by method, route as in the API's description (other where there is none), and class of"
        " status.",
        ("method", "route", "status"),
    ),
    Metric("callboard_http_request_seconds", "histogram", "How long answering them took; streams are not in it."),
    Metric("callboard_jobs", "gauge", "Background jobs that have not ended, of all nodes.", ("kind", "state"), ALSO),
    Metric(
        "callboard_jobs_oldest_age_seconds",
        "gauge",
        "How long ago the oldest of them was made.",
        ("kind", "state"),
        ALSO,
    ),
    Metric(
        "callboard_jobs_put_off",
        "gauge",
        "Jobs, of all nodes and workers, that wait because their last try failed, by its error (docs/recording.md).",
        ("kind", "error"),
        ALSO,
    ),
    Metric(
        "callboard_jobs_failed_last_hour",
        "gauge",
        "Jobs, of all nodes and workers, that were given up in the last hour, by their last error.",
        ("kind", "error"),
        ALSO,
    ),
    Metric("callboard_worker_running", "gauge", "Jobs that this process does at the moment.", ("kind",), ALSO),
    Metric(
        "callboard_worker_tries_total",
        "counter",
        "Tries at jobs by this process that have ended, by how: done, failed (given up), retried (put off, to be tried"
        " again), released (given back, as it stopped), lost (its lease ran out, or it was called off).",
        ("kind", "outcome"),
        ALSO,
    ),
    Metric("callboard_worker_renewals_total", "counter", "Leases of running jobs that it has renewed.", on_worker=ALSO),
    Metric(
        "callboard_worker_last_look_time_seconds",
        "gauge",
        "When it last looked for jobs and was answered, in seconds since the epoch; it does every second.",
        on_worker=ALSO,
    ),
    Metric(
        "callboard_worker_last_heartbeat_time_seconds",
        "gauge",
        "When it last renewed the leases of what it does; it does three times in jobs.lease_seconds.",
        on_worker=ALSO,
    ),
    Metric("callboard_capture_sessions", "gauge", "Open sessions of this node that are to be captured."),
    Metric("callboard_capture_tracks", "gauge", "Tracks of them that are being written to the disk.", ("kind",)),
    Metric("callboard_capture_files", "gauge", "Files that they are written to."),
    Metric(
        "callboard_capture_bytes_total", "counter", "Bytes by which these files have grown (seen every two seconds)."
    ),
    Metric("callboard_capture_segments_total", "counter", "Times that capturing a track began."),
    Metric(
        "callboard_capture_refused_total",
        "counter",
        "Tracks that were published in such sessions and not captured: the disk was too full, the longest duration was"
        " reached, or the media engine did not.",
    ),
    Metric("callboard_capture_completed_total", "counter", "Sessions whose captures were handed on to jobs."),
    Metric("callboard_capture_disk_free_bytes", "gauge", "Bytes that are free on the disk of the capture folder."),
    Metric("callboard_capture_disk_floor_bytes", "gauge", "With fewer nothing is captured (recording.min_free_bytes)."),
    Metric("callboard_capture_disk_low", "gauge", "1 while nothing is captured for want of space, else 0."),
    Metric("callboard_capture_disk_alarms_total", "counter", "Times that this began."),
    Metric(
        "callboard_recording_seconds_total",
        "counter",
        "Seconds of media made of captures, by this process.",
        on_worker=ALSO,
    ),
    Metric(
        "callboard_recording_lost_packets_total",
        "counter",
        "Packets that are missing in them because they never came, or were lost when capturing was cut off.",
        on_worker=ALSO,
    ),
    Metric(
        "callboard_children_cpu_seconds_total",
        "counter",
        "Processor time of programs that this process ran and that have ended: those that make recordings, above all.",
        on_worker=ALSO,
    ),
    Metric("process_cpu_seconds_total", "counter", "Processor time that this process has used.", on_worker=ALSO),
    Metric("process_resident_memory_bytes", "gauge", "Memory that it holds.", on_worker=ALSO),
    Metric("process_open_fds", "gauge", "Files and sockets that it has open.", on_worker=ALSO),
    Metric("process_start_time_seconds", "gauge", "When it was started, in seconds since the epoch.", on_worker=ALSO),
)

PAGE: Final = "metrics-table.md"
_HEAD: Final = """<!-- Made from src/callboard/metrics/names.py by `make docs`; a test compares. -->

# Metrics, one by one

How to read them, and what to be woken by: [metrics](metrics.md).

Where: a server's page shows all of them (those of `callboard_worker_…` if it does jobs: `jobs.worker`), that of a
[worker](metrics.md#workers) those with "worker".

| name | kind | labels | where | what it says |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The page of the docs with every metric, as Markdown."""
    return _HEAD + "".join(
        f"| `{one.name}` | {one.kind} | {' '.join(f'`{label}`' for label in one.labels)}"
        f" | {'server, worker' if one.on_worker else 'server'} | {one.says} |\n"
        for one in METRICS
    )
