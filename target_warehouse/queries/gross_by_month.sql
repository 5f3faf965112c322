-- Gross by month: delivered deals, the last twelve months that have any
-- Front and back are cast one by one before they are added, so that every sum is exact.
-- What is deleted, in the DMS or by an audit's tombstone, does not count.
-- A warehouse loaded append-only holds every version of a deal; the last one counts.
-- needs deals: dealId, updatedAt, deletedAt, status, soldDate, deliveredAt, gross
WITH current_deals AS (
    SELECT DISTINCT ON ("dealId") *
    FROM deals
    ORDER BY "dealId", "updatedAt" DESC, "deletedAt" DESC NULLS LAST
)
SELECT
    strftime(coalesce(CAST("soldDate" AS DATE), CAST("deliveredAt" AS DATE)), '%Y-%m') AS "month",
    count(*) AS "deals",
    sum(CAST("gross" ->> '$.front' AS DECIMAL(18, 2))) AS "front",
    sum(CAST("gross" ->> '$.back' AS DECIMAL(18, 2))) AS "back",
    sum(CAST("gross" ->> '$.total' AS DECIMAL(18, 2))) AS "total"
FROM current_deals
WHERE "status" IN ('delivered', 'finalized') AND "deletedAt" IS NULL
GROUP BY 1
ORDER BY 1 DESC NULLS LAST
LIMIT 12
