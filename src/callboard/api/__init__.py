"""REST v2 (platform.md §3): one router per resource, error bodies, pagination.

Always holds: every answer is JSON; every error is `{code, message, details}` with `code` the HTTP status;
every route but the health checks needs a management token. Nothing here decides: handlers translate and
call the rooms' actions.
"""
