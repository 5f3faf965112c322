-- Trial balance of what is posted: the difference has to be 0.00
-- A line counts when it belongs to its entry's present version (parentUpdatedAt), and an entry when it
-- is posted or has been reversed since: its reversal is an entry of its own.
-- What is deleted, in the DMS or by an audit's tombstone, does not count.
-- A warehouse loaded append-only holds every version of both; the last one counts.
-- needs gl_entries: journalEntryId, updatedAt, deletedAt, status
-- needs gl_entry_lines: journalEntryId, lineId, parentUpdatedAt, debit, credit
WITH entries AS (
    SELECT DISTINCT ON ("journalEntryId") *
    FROM gl_entries
    ORDER BY "journalEntryId", "updatedAt" DESC, "deletedAt" DESC NULLS LAST
),
lines AS (
    SELECT DISTINCT ON ("journalEntryId", "lineId") *
    FROM gl_entry_lines
    ORDER BY "journalEntryId", "lineId", "parentUpdatedAt" DESC
)
SELECT
    count(DISTINCT lines."journalEntryId") AS "entries",
    count(*) AS "lines",
    coalesce(sum(lines."debit"), 0.00) AS "debit",
    coalesce(sum(lines."credit"), 0.00) AS "credit",
    coalesce(sum(lines."debit"), 0.00) - coalesce(sum(lines."credit"), 0.00) AS "difference"
FROM lines
JOIN entries
    ON entries."journalEntryId" = lines."journalEntryId"
    AND entries."updatedAt" = lines."parentUpdatedAt"
WHERE entries."status" IN ('posted', 'reversed') AND entries."deletedAt" IS NULL
