-- Pushed deals and repair orders, their gross and their journals: the last twelve that are posted
-- A line counts when it belongs to its entry's present version (parentUpdatedAt), and an entry when it
-- is posted or has been reversed since: its reversal is an entry of its own.
-- What is deleted, in the DMS or by an audit's tombstone, does not count.
-- A warehouse loaded append-only holds every version of a row; the last one counts.
-- needs write_results: object, dmsId
-- may lack customers: customerId, customerNumber, updatedAt
-- may lack deals: dealId, dealNumber, customerId, status, gross, updatedAt, deletedAt
-- may lack repair_orders: repairOrderId, roNumber, customerId, status, updatedAt, deletedAt
-- may lack attachments: attachmentId, entityType, entityId
-- needs gl_entries: journalEntryId, dealId, repairOrderId, postedAt, updatedAt, deletedAt, status
-- needs gl_entry_lines: journalEntryId, lineId, parentUpdatedAt, debit, credit
WITH buyers AS (
    SELECT DISTINCT ON ("customerId") *
    FROM customers
    ORDER BY "customerId", "updatedAt" DESC
),
sold AS (
    SELECT DISTINCT ON ("dealId") *
    FROM deals
    ORDER BY "dealId", "updatedAt" DESC, "deletedAt" DESC NULLS LAST
),
repaired AS (
    SELECT DISTINCT ON ("repairOrderId") *
    FROM repair_orders
    ORDER BY "repairOrderId", "updatedAt" DESC, "deletedAt" DESC NULLS LAST
),
documents AS (
    SELECT
        'deal' AS kind,
        "dealId" AS id,
        "dealNumber" AS number,
        "customerId",
        "status",
        CAST("gross" ->> '$.front' AS DECIMAL(18, 2)) AS front,
        CAST("gross" ->> '$.back' AS DECIMAL(18, 2)) AS back
    FROM sold
    WHERE
        "dealId" IN (SELECT "dmsId" FROM write_results WHERE "object" = 'deals')
        AND "deletedAt" IS NULL
    UNION ALL
    SELECT 'repair_order', "repairOrderId", "roNumber", "customerId", "status", NULL, NULL
    FROM repaired
    WHERE
        "repairOrderId" IN (SELECT "dmsId" FROM write_results WHERE "object" = 'repair_orders')
        AND "deletedAt" IS NULL
),
files AS (
    SELECT "entityType" AS kind, "entityId" AS id, count(DISTINCT "attachmentId") AS files
    FROM attachments
    GROUP BY ALL
),
entries AS (
    SELECT DISTINCT ON ("journalEntryId") *
    FROM gl_entries
    ORDER BY "journalEntryId", "updatedAt" DESC, "deletedAt" DESC NULLS LAST
),
lines AS (
    SELECT DISTINCT ON ("journalEntryId", "lineId") *
    FROM gl_entry_lines
    ORDER BY "journalEntryId", "lineId", "parentUpdatedAt" DESC
),
journals AS (
    SELECT
        unnest(['deal', 'repair_order']) AS kind,
        unnest([entries."dealId", entries."repairOrderId"]) AS id,
        entries."postedAt",
        lines."debit",
        lines."credit"
    FROM entries
    JOIN lines
        ON lines."journalEntryId" = entries."journalEntryId"
        AND lines."parentUpdatedAt" = entries."updatedAt"
    WHERE entries."status" IN ('posted', 'reversed') AND entries."deletedAt" IS NULL
)
SELECT
    replace(kind, '_', ' ') AS "pushed",
    documents.number AS "number",
    buyers."customerNumber" AS "customer",
    documents."status" AS "status",
    documents.front AS "front",
    documents.back AS "back",
    coalesce(any_value(files.files), 0) AS "files",
    count(*) AS "lines",
    coalesce(sum(journals."debit"), 0.00) AS "debit",
    coalesce(sum(journals."credit"), 0.00) AS "credit"
FROM documents
JOIN journals USING (kind, id)
LEFT JOIN files USING (kind, id)
LEFT JOIN buyers ON buyers."customerId" = documents."customerId"
GROUP BY kind, id, 2, 3, 4, 5, 6
ORDER BY max(journals."postedAt") DESC, 2
LIMIT 12
