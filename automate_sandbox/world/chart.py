"""The chart of accounts, one copy for each accounting company."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_sandbox.world.calendar import DAY
from automate_sandbox.world.rooftops import YEARS_OPEN, Rooftop, stamp

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """An account as journals use it: numbers are codes with leading zeros and letters."""

    number: str
    name: str
    account_type: str
    department: str | None = None
    control: str | None = None
    schedule: str | None = None


CHART: t.Final = {
    "cash": Account("0202", "Cash on hand", "asset"),
    "bank": Account("0210", "Cash in bank", "asset"),
    "contracts": Account("0205", "Contracts in transit", "asset", control="stock", schedule="05"),
    "receivable": Account(
        "0220", "Accounts receivable", "asset", control="customer", schedule="20"
    ),
    "rebates": Account(
        "0224A", "Factory rebates receivable", "asset", control="stock", schedule="24"
    ),
    "warranty_claims": Account(
        "0263", "Warranty claims receivable", "asset", control="repair_order", schedule="63"
    ),
    "contract_claims": Account(
        "0264", "Service contract claims", "asset", control="repair_order", schedule="64"
    ),
    "reserve": Account(
        "0226", "Finance reserve receivable", "asset", control="stock", schedule="26"
    ),
    "new_inventory": Account("0231", "New vehicle inventory", "asset", "new", "stock", "31"),
    "used_inventory": Account("0240", "Used vehicle inventory", "asset", "used", "stock", "40"),
    "parts_inventory": Account("0242", "Parts inventory", "asset", "parts"),
    "floor_plan": Account(
        "0310", "Notes payable floor plan", "liability", control="stock", schedule="10"
    ),
    "payoffs": Account("0324A", "Trade-in payoffs", "liability", control="stock", schedule="3A"),
    "sales_tax": Account("0324", "Sales tax payable", "liability"),
    "products_payable": Account(
        "0330", "Aftermarket products payable", "liability", control="stock"
    ),
    "wages": Account("0340", "Accrued technician wages", "liability"),
    "retained": Account("0390", "Retained earnings", "equity"),
    "new_sales": Account("0410", "New vehicle sales", "income", "new", "stock"),
    "used_sales": Account("0446B", "Used vehicle sales", "income", "used", "stock"),
    "fees": Account("0454", "Documentation fees", "income", "new"),
    "product_sales": Account("0457", "Aftermarket product sales", "income", "fni"),
    "finance_income": Account("0458", "Finance income", "income", "fni"),
    "labor_customer": Account("0460", "Labor sales customer", "income", "service"),
    "labor_warranty": Account("0461", "Labor sales warranty", "income", "service"),
    "labor_internal": Account("0462", "Labor sales internal", "income", "service"),
    "parts_sales": Account("0467", "Parts sales repair orders", "income", "parts"),
    "shop_supplies": Account("0469", "Shop supplies", "income", "service"),
    "new_cost": Account("0610", "Cost of new vehicle sales", "cost_of_sale", "new", "stock"),
    "used_cost": Account("0646B", "Cost of used vehicle sales", "cost_of_sale", "used", "stock"),
    "product_cost": Account("0657", "Cost of aftermarket products", "cost_of_sale", "fni"),
    "labor_cost": Account("0660", "Cost of labor", "cost_of_sale", "service"),
    "parts_cost": Account("0667", "Cost of parts", "cost_of_sale", "parts"),
    "policy": Account("0720", "Policy and goodwill", "expense", "service"),
    "reconditioning": Account("0721", "Internal reconditioning", "expense", "used", "stock"),
    "utilities": Account("0815", "Utilities", "expense"),
    "interest_income": Account("0901", "Interest income", "other_income"),
    "interest": Account("0951", "Floor plan interest", "other_expense"),
    "units": Account("9001", "Units sold", "statistical", "new"),
    "customer_deposits": Account(
        "0325", "Customer deposits", "liability", control="customer", schedule="25"
    ),
    "over_short": Account("0818", "Cash over and short", "expense"),
}
"""Role in a journal to the account."""

CREDIT_TYPES: t.Final = frozenset({"liability", "equity", "income", "other_income"})
BANK_ACCOUNTS: t.Final = frozenset({"cash", "bank"})


def build_accounts(numbers: Numbers, rooftop: Rooftop, anchor: int) -> Iterator[Record]:
    """Make the accounts of a rooftop's company, all entered in the same second."""
    entered = anchor - YEARS_OPEN * 365 * DAY
    for role, account in CHART.items():
        _, account_id = numbers.take("gl_accounts")
        yield {
            "glAccountId": account_id,
            "rooftopId": rooftop.rooftop_id,
            "accountNumber": account.number,
            "name": account.name,
            "accountType": account.account_type,
            "normalBalance": "credit" if account.account_type in CREDIT_TYPES else "debit",
            "departmentCode": account.department,
            "companyId": rooftop.company_id,
            "scheduleCode": account.schedule,
            "scheduleType": "detail" if account.schedule else None,
            "controlType": account.control,
            "factoryAccountNumber": account.number.lstrip("0"),
            "isActive": True,
            "isBank": role in BANK_ACCOUNTS,
            **stamp(entered),
        }
