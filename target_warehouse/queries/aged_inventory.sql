-- Aged inventory: vehicles in stock by days since acquisition
-- Money that stands on the lot, at cost and at list price; the days come from acquisitionDate, as
-- agingDays is only as fresh as the vehicle's last change.
-- What is deleted, in the DMS or by an audit's tombstone, does not count.
-- A warehouse loaded append-only holds every version of a vehicle; the last one counts.
-- needs vehicles: vehicleId, updatedAt, deletedAt, status, acquisitionDate, cost, listPrice
WITH current_vehicles AS (
    SELECT DISTINCT ON ("vehicleId") *
    FROM vehicles
    ORDER BY "vehicleId", "updatedAt" DESC, "deletedAt" DESC NULLS LAST
),
in_stock AS (
    SELECT date_diff('day', "acquisitionDate", getvariable('today')) AS days, "cost", "listPrice"
    FROM current_vehicles
    WHERE "status" = 'in_stock' AND "deletedAt" IS NULL
)
SELECT
    CASE
        WHEN days <= 30 THEN '0-30'
        WHEN days <= 60 THEN '31-60'
        WHEN days <= 90 THEN '61-90'
        WHEN days > 90 THEN 'over 90'
        ELSE 'unknown'
    END AS "days",
    count(*) AS "vehicles",
    sum("cost") AS "cost",
    sum("listPrice") AS "list price"
FROM in_stock
GROUP BY 1
ORDER BY min(days) NULLS LAST
