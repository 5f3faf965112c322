-- Pushed to the DMS, and seen again in what was read from it
-- A change is seen again by the record that it has changed.
-- A warehouse loaded append-only holds every version; ids and keys count once.
-- needs write_results: object, businessKey, dmsId
-- may lack customers: customerId
-- may lack deals: dealId
-- may lack service_appointments: appointmentId
-- may lack repair_orders: repairOrderId
-- may lack vehicles: vehicleId
-- may lack attachments: attachmentId
WITH seen AS (
    SELECT 'customers' AS object, "customerId" AS id FROM customers
    UNION
    SELECT unnest(['deals', 'deal_statuses', 'deal_terms']), "dealId" FROM deals
    UNION
    SELECT unnest(['service_appointments', 'appointment_changes']), "appointmentId"
    FROM service_appointments
    UNION
    SELECT
        unnest(['repair_orders', 'repair_order_statuses', 'repair_order_inspections']),
        "repairOrderId"
    FROM repair_orders
    UNION
    SELECT unnest(['vehicle_prices', 'vehicle_photos']), "vehicleId" FROM vehicles
    UNION
    SELECT 'attachments', "attachmentId" FROM attachments
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
