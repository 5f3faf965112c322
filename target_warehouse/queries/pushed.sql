-- Pushed to the DMS, and seen again in what was read from it
-- A warehouse loaded append-only holds every version; ids and keys count once.
-- needs write_results: object, businessKey, sequence, dmsId
-- needs customers: customerId
-- needs deals: dealId
-- needs service_appointments: appointmentId
WITH seen AS (
    SELECT 'customers' AS object, "customerId" AS id FROM customers
    UNION
    SELECT 'deals', "dealId" FROM deals
    UNION
    SELECT 'service_appointments', "appointmentId" FROM service_appointments
)
SELECT
    pushed."object" AS "object",
    count(DISTINCT pushed."businessKey") AS "records",
    count(DISTINCT pushed."dmsId") AS "ids in the DMS",
    count(DISTINCT seen.id) AS "seen again"
FROM write_results AS pushed
LEFT JOIN seen ON seen.object = pushed."object" AND seen.id = pushed."dmsId"
GROUP BY 1
ORDER BY 1
