-- Gross by month: deals sold, less those unwound, the last twelve months that have any
-- A deal counts in the month in which it was sold. One that was unwound counts there as well, and as -1
-- in the month of the unwind, so that no month that is over moves. Days are those of the rooftop.
-- docs/queries.md asks the same of deal_recaps, by salesperson.
-- Front and back are cast one by one before they are added, so that every sum is exact.
-- What is deleted, in the DMS or by an audit's tombstone, does not count.
-- A warehouse loaded append-only holds every version of a deal; the last one counts.
-- needs deals: dealId, rooftopId, updatedAt, deletedAt, status, soldDate, deliveredAt, unwoundAt, gross
-- needs rooftops: rooftopId, updatedAt, timeZone
WITH current_rooftops AS (
    SELECT DISTINCT ON ("rooftopId") *
    FROM rooftops
    ORDER BY "rooftopId", "updatedAt" DESC
),
current_deals AS (
    SELECT DISTINCT ON ("dealId") *
    FROM deals
    ORDER BY "dealId", "updatedAt" DESC, "deletedAt" DESC NULLS LAST
),
delivered AS (
    SELECT
        deals."status",
        coalesce(current_rooftops."timeZone", 'UTC') AS zone,
        coalesce(CAST("soldDate" AS DATE), CAST("deliveredAt" AT TIME ZONE zone AS DATE)) AS sold,
        CAST(coalesce("unwoundAt", deals."updatedAt") AT TIME ZONE zone AS DATE) AS unwound,
        CAST("gross" ->> '$.front' AS DECIMAL(18, 2)) AS front,
        CAST("gross" ->> '$.back' AS DECIMAL(18, 2)) AS back,
        CAST("gross" ->> '$.total' AS DECIMAL(18, 2)) AS total
    FROM current_deals AS deals
    LEFT JOIN current_rooftops ON current_rooftops."rooftopId" = deals."rooftopId"
    WHERE
        deals."deletedAt" IS NULL
        AND (
            deals."status" IN ('delivered', 'finalized')
            OR deals."status" = 'unwound' AND sold IS NOT NULL
        )
),
booked AS (
    SELECT sold AS day, 1 AS units, front, back, total FROM delivered
    UNION ALL
    SELECT unwound, -1, -front, -back, -total FROM delivered WHERE "status" = 'unwound'
)
SELECT
    strftime(day, '%Y-%m') AS "month",
    sum(units) AS "units",
    sum(front) AS "front",
    sum(back) AS "back",
    sum(total) AS "total"
FROM booked
GROUP BY 1
ORDER BY 1 DESC NULLS LAST
LIMIT 12
