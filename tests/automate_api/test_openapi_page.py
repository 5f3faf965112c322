"""openapi.yaml says what the API's page and the design say, no less and no more."""

from __future__ import annotations

import typing as t

import jsonschema_rs
import pytest

from automate_api import contract

if t.TYPE_CHECKING:
    from automate_api.contract import Schema

API = contract.load()
SCHEMAS: dict[str, Schema] = API.document["components"]["schemas"]
OPERATIONS: dict[str, Schema] = {
    f"{method.upper()} {path}": operation
    for path, item in API.document["paths"].items()
    for method, operation in item.items()
}

RESOURCES = {
    "/vehicles": ("vehicleId", "inventory", "status condition make model vin lotId"),
    "/lots": ("lotId", "inventory", ""),
    "/customers": ("customerId", "sales service", "customerType externalId email phone"),
    "/deals": (
        "dealId",
        "sales",
        "status dealNumber vin stockNumber referenceId deliveredFrom deliveredTo",
    ),
    "/deals/recaps": ("dealRecapId", "accounting", "dealId"),
    "/service/appointments": (
        "appointmentId",
        "service",
        "status appointmentFrom appointmentTo customerId vin",
    ),
    "/service/repair-orders": (
        "repairOrderId",
        "service",
        "status roNumber externalId vin customerId openedFrom openedTo closedFrom closedTo",
    ),
    "/service/op-codes": ("opCode rooftopId", "service", ""),
    "/parts": ("partId", "service", "partNumber"),
    "/parts/tickets": ("partsTicketId", "service", "status"),
    "/accounting/gl-accounts": ("glAccountId", "accounting", ""),
    "/accounting/gl-entries": (
        "journalEntryId",
        "accounting",
        "accountingFrom accountingTo journalCode accountNumber controlNumber",
    ),
    "/accounting/receipts": ("receiptId", "accounting", "dealId customerId"),
    "/accounting/deposits": ("depositId", "accounting", ""),
    "/accounting/periods": ("periodId", "accounting", ""),
    "/users": ("userId", "", ""),
    "/rooftops": ("rooftopId", "", ""),
    "/attachments": ("attachmentId", "", "entityType entityId"),
    "/events": ("eventId", "", "type occurredFrom occurredTo"),
}
"""Path to key, entitlements and filters."""
COMMON_PARAMETERS = {"rooftopId", "updatedFrom", "updatedTo", "page", "pageSize"}
DOCUMENTED = {
    "POST /sessions",
    "POST /sessions/refresh",
    "GET /vehicles",
    "POST /customers",
    "POST /deals",
    "POST /service/appointments",
}
INFERRED_ACTIONS = {
    "POST /deals/{id}/status",
    "PATCH /vehicles/{id}",
    "PATCH /deals/{id}",
    "PUT /vehicles/{id}/photos",
    "PATCH /service/appointments/{id}",
    "POST /service/repair-orders",
    "POST /service/repair-orders/{id}/status",
    "PUT /service/repair-orders/{id}/inspection",
    "GET /operations/{id}",
    "POST /attachments",
    "POST /attachments/{id}/complete",
    "POST /webhooks",
}
DOCUMENTED_FIELDS = {
    "SessionInput": "username password mfa mfa.type mfa.code",
    "Session": "authToken expiresIn user user.id user.name user.entitlements",
    "Vehicle": (
        "vehicleId vin stockNumber status condition year make model trim bodyStyle exteriorColor "
        "interiorColor odometer odometer.value odometer.unit msrp listPrice salePrice cost "
        "isWholesale agingDays lot lot.lotId lot.name photos photos.url fuelType transmission "
        "driveType engine acquisitionDate updatedAt"
    ),
    "CustomerInput": (
        "externalId customerType firstName lastName emails phones phones.type phones.number "
        "address address.line1 address.line2 address.city address.region address.postalCode "
        "address.country driversLicense driversLicense.number driversLicense.state dateOfBirth "
        "marketingOptIn marketingOptIn.email marketingOptIn.sms marketingOptIn.phone source notes"
    ),
    "CustomerUpserted": "customerId status matchedBy updatedAt",
    "DealInput": (
        "referenceId customerId vehicle vehicle.vin pricing pricing.salePrice pricing.discounts "
        "pricing.rebates tradeIn tradeIn.vin tradeIn.acv tradeIn.payoff tradeIn.lienholder finance "
        "finance.cashDown finance.termMonths finance.aprPercent finance.lenderCode "
        "finance.products finance.products.code finance.products.name finance.products.price fees "
        "fees.code fees.description fees.amount taxes taxes.ratePercent salespersonId fniManagerId "
        "status"
    ),
    "DealCreated": "dealId dealNumber status createdAt",
    "AppointmentInput": (
        "customerId vin appointmentTime advisorId opCodes opCodes.code opCodes.description "
        "opCodes.laborHours concern transportation notes"
    ),
    "AppointmentCreated": "appointmentId status department createdAt",
}
ENUMS = {
    "VehicleStatus": "in_stock retail_sold wholesale transit",
    "VehicleCondition": "new used certified",
    "CustomerType": "lead retail fleet",
    "DealType": "finance lease cash wholesale dealer_trade fleet",
    "SaleClass": "new used certified",
    "DealStatus": "penciled pending contracted delivered finalized unwound voided lost",
    "FundingStatus": "not_applicable unfunded in_transit funded returned",
    "AccountingStatus": "not_sent sent posted reversed",
    "RecapStatus": "draft final revised reversed",
    "RepairOrderStatus": (
        "estimate open in_progress on_hold waiting_parts waiting_authorization completed invoiced "
        "partially_closed closed voided"
    ),
    "ServiceDepartment": "service body quick_lube detail internal",
    "PayType": "customer_pay warranty internal service_contract goodwill",
    "AppointmentStatus": (
        "scheduled confirmed arrived checked_in in_progress converted completed cancelled no_show "
        "rescheduled"
    ),
    "GlAccountType": (
        "asset liability equity income cost_of_sale expense other_income other_expense statistical"
    ),
    "GlEntryStatus": "unposted posted voided reversed",
    "ReceiptType": "payment deposit down_payment refund reversal",
    "ReceiptStatus": "open posted deposited voided reversed",
    "DepositStatus": "open prepared deposited reconciled voided",
}
RECORD_ENUMS = {
    "/vehicles status": "VehicleStatus",
    "/vehicles condition": "VehicleCondition",
    "/customers customerType": "CustomerType",
    "/deals dealType": "DealType",
    "/deals saleClass": "SaleClass",
    "/deals status": "DealStatus",
    "/deals fundingStatus": "FundingStatus",
    "/deals accountingStatus": "AccountingStatus",
    "/deals vehicle.condition": "VehicleCondition",
    "/deals/recaps recapStatus": "RecapStatus",
    "/service/appointments status": "AppointmentStatus",
    "/service/repair-orders status": "RepairOrderStatus",
    "/service/repair-orders department": "ServiceDepartment",
    "/service/repair-orders payTypeStatuses.payType": "PayType",
    "/service/repair-orders lines.payType": "PayType",
    "/service/repair-orders totals.byPayType.payType": "PayType",
    "/service/op-codes payType": "PayType",
    "/accounting/gl-accounts accountType": "GlAccountType",
    "/accounting/gl-entries status": "GlEntryStatus",
    "/accounting/receipts receiptType": "ReceiptType",
    "/accounting/receipts status": "ReceiptStatus",
    "/accounting/deposits status": "DepositStatus",
}
FINE_NUMBERS = {
    "/deals finance.aprPercent",
    "/deals finance.buyRatePercent",
    "/deals taxes.ratePercent",
    "/deals taxes.items.ratePercent",
    "/service/appointments opCodes.laborHours",
    "/service/repair-orders taxes.ratePercent",
    "/service/repair-orders lines.laborHours.sold",
    "/service/repair-orders lines.laborHours.flagged",
    "/service/repair-orders lines.laborHours.actual",
    "/service/repair-orders lines.laborRate",
    "/service/repair-orders lines.parts.quantity",
    "/service/repair-orders lines.parts.unitCost",
    "/service/repair-orders lines.parts.unitPrice",
    "/service/op-codes flatRateHours",
    "/service/op-codes laborRate",
    "/parts quantityOnHand",
    "/parts quantityAvailable",
    "/parts quantityOnOrder",
    "/parts cost",
    "/parts listPrice",
    "/parts/tickets parts.quantity",
    "/parts/tickets parts.unitCost",
    "/parts/tickets parts.unitPrice",
}
"""Rates, hours, quantities and unit prices have four decimals; all other numbers are money."""
PAGE_ANSWERS: dict[str, Schema] = {
    "Session": {
        "authToken": "t",
        "expiresIn": 3600,
        "user": {
            "id": "u_7b21f0",
            "name": "Integration",
            "entitlements": ["inventory", "sales", "service", "accounting"],
        },
    },
    "Envelope": {"items": [], "page": 1, "pageSize": 50, "total": 1},
    "Vehicle": {"vehicleId": "veh_28f93a", "msrp": 0, "updatedAt": "2026-01-20T13:45:00Z"},
    "CustomerUpserted": {
        "customerId": "cust_5c01e8",
        "status": "upserted",
        "matchedBy": "externalId",
        "updatedAt": "2026-01-20T13:45:00Z",
    },
    "DealCreated": {
        "dealId": "deal_61df30",
        "dealNumber": "D-2026-00128",
        "status": "penciled",
        "createdAt": "2026-01-20T13:45:00Z",
    },
    "AppointmentCreated": {
        "appointmentId": "appt_9fa201",
        "status": "scheduled",
        "department": "service",
        "createdAt": "2026-01-20T13:45:00Z",
    },
    "Error": {
        "error": {
            "code": "invalid",
            "message": "The body is not valid.",
            "details": [{"field": "vin", "message": "is required"}],
            "requestId": "req_1",
        }
    },
}


def test_exactly_the_six_calls_of_the_public_page_are_documented() -> None:
    documented = {name for name, op in OPERATIONS.items() if op["x-origin"] == "documented"}

    assert documented == DOCUMENTED


def test_the_operations_are_those_of_the_design() -> None:
    lists = {f"GET {path}" for path in RESOURCES}
    details = {f"GET {path}/{{id}}" for path in RESOURCES}

    assert set(OPERATIONS) == DOCUMENTED | lists | details | INFERRED_ACTIONS


@pytest.mark.parametrize("path", RESOURCES)
def test_a_list_has_the_key_the_entitlements_and_the_filters_of_the_design(path: str) -> None:
    key, entitlements, filters = RESOURCES[path]
    resource = API.resource(path)

    assert resource.key == tuple(key.split())
    assert resource.entitlements == set(entitlements.split())
    assert resource.parameters == COMMON_PARAMETERS | set(filters.split())


@pytest.mark.parametrize("name", DOCUMENTED_FIELDS)
def test_the_documented_fields_are_those_of_the_public_page(name: str) -> None:
    documented = {
        field
        for field, schema in contract.fields(API.schema(name))
        if schema["x-origin"] == "documented"
    }

    assert documented == set(DOCUMENTED_FIELDS[name].split())


@pytest.mark.parametrize("name", PAGE_ANSWERS)
def test_the_answers_on_the_public_page_validate(name: str) -> None:
    validator = jsonschema_rs.Draft202012Validator(API.schema(name), validate_formats=True)

    validator.validate(PAGE_ANSWERS[name])


@pytest.mark.parametrize("name", ENUMS)
def test_an_enum_has_the_values_of_the_design_and_null(name: str) -> None:
    assert SCHEMAS[name]["enum"] == [*ENUMS[name].split(), None]
    assert SCHEMAS[name]["type"] == ["string", "null"]


def test_the_enums_of_the_records_are_those_of_the_design() -> None:
    found = {
        f"{path} {name}": frozenset(field["enum"]) - {None}
        for path in RESOURCES
        for name, field in contract.fields(API.resource(path).record_schema)
        if "enum" in field
    }

    assert found == {
        **{where: frozenset(ENUMS[name].split()) for where, name in RECORD_ENUMS.items()},
        "/deals/recaps unitCount": {1, -1, 0},
    }


def test_money_has_cents_and_finer_numbers_have_four_decimals() -> None:
    digits = {
        f"{path} {name}": field.get("x-sql-datatype-properties")
        for path in RESOURCES
        for name, field in contract.fields(API.resource(path).record_schema)
        if "number" in field["type"]
    }

    assert set(digits) > FINE_NUMBERS
    assert digits == {
        where: {"precision": 18, "scale": 4 if where in FINE_NUMBERS else 2} for where in digits
    }


def test_personal_data_is_marked() -> None:
    parameters = {
        parameter["name"]
        for operation in OPERATIONS.values()
        for parameter in operation.get("parameters", [])
        if parameter.get("x-pii")
    }

    assert parameters == {"email", "phone"}
    assert API.pii_fields == {
        "firstName",
        "middleName",
        "lastName",
        "displayName",
        "emails",
        "phones",
        "address",
        "driversLicense",
        "dateOfBirth",
    }
