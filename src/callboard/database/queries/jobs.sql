-- Background jobs and the journals of their steps. The columns are the fields of `jobs.Job`, in their order.

-- The next jobs of one kind: waiting ones whose time has come, and running ones whose lease has run out.
-- name: jobs_due
SELECT id, kind, subject, payload, priority, created_at, deadline_at, state, due_at, fence, owner, attempt, losses,
    progress, error_code, error, started_at, ended_at
FROM job
WHERE kind = :kind
  AND ended_at = 0
  AND due_at <= :now
ORDER BY priority DESC, due_at, id
LIMIT :limit

-- name: job_by_id
SELECT id, kind, subject, payload, priority, created_at, deadline_at, state, due_at, fence, owner, attempt, losses,
    progress, error_code, error, started_at, ended_at
FROM job
WHERE id = :id

-- name: jobs_of_subject
SELECT id, kind, subject, payload, priority, created_at, deadline_at, state, due_at, fence, owner, attempt, losses,
    progress, error_code, error, started_at, ended_at
FROM job
WHERE subject = :subject
ORDER BY id

-- name: job_page
SELECT id, kind, subject, payload, priority, created_at, deadline_at, state, due_at, fence, owner, attempt, losses,
    progress, error_code, error, started_at, ended_at
FROM job
WHERE id < :start AND (:kind = '' OR kind = :kind) AND (:state = '' OR state = :state)
ORDER BY id DESC
LIMIT :limit

-- name: job_page_of_subject
SELECT id, kind, subject, payload, priority, created_at, deadline_at, state, due_at, fence, owner, attempt, losses,
    progress, error_code, error, started_at, ended_at
FROM job
WHERE subject = :subject AND id < :start AND (:kind = '' OR kind = :kind) AND (:state = '' OR state = :state)
ORDER BY id DESC
LIMIT :limit

-- name: open_jobs
SELECT kind, state, COUNT(*), MIN(created_at)
FROM job
WHERE ended_at = 0
GROUP BY kind, state
ORDER BY kind, state

-- name: jobs_put_off
SELECT kind, error_code, COUNT(*)
FROM job
WHERE ended_at = 0 AND state = 'waiting' AND error <> ''
GROUP BY kind, error_code
ORDER BY kind, error_code

-- name: jobs_failed_since
SELECT kind, error_code, COUNT(*)
FROM job
WHERE ended_at > 0 AND ended_at >= :since AND state = 'failed'
GROUP BY kind, error_code
ORDER BY kind, error_code

-- name: job_steps
SELECT position, name, output, at
FROM job_step
WHERE job_id = :job_id
ORDER BY position

-- name: jobs_ended_before
SELECT id, fence
FROM job
WHERE ended_at > 0
  AND ended_at < :before
ORDER BY ended_at
LIMIT :limit
