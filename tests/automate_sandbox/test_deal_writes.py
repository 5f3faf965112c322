"""Deals that are there: led from step to step, with all that follows in the books; their terms."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import pytest
from support.desk import Desk, books_of, refusal, writes_since
from support.visitor import Shop, Visitor, serving, visiting

from automate_sandbox import contract_file
from automate_sandbox.money import decode

if t.TYPE_CHECKING:
    from pathlib import Path

    Record = dict[str, t.Any]


@pytest.fixture
def desk(visitor: Visitor) -> Desk:
    return Desk(visitor)


def entries_of(shop: Shop, deal: Record) -> list[Record]:
    return [e for e in shop.records("gl_entries") if e["dealId"] == deal["dealId"]]


def statuses(shop: Shop, deal: Record) -> list[str]:
    """The statuses that a deal has had, repeated ones once."""
    versions = [
        entry["record"]["status"]
        for entry in shop.control("history?since=0&limit=1000000")
        if entry["stream"] == "deals" and entry["key"] == deal["dealId"]
    ]
    return list(dict.fromkeys(versions))


def test_a_deal_goes_all_the_way_and_its_books_tie(shop: Shop, desk: Desk) -> None:
    deal = desk.lead(desk.deal(), "pending", "contracted")
    assert deal["contractDate"] is not None
    assert deal["fundingStatus"] == "in_transit"
    assert entries_of(shop, deal) == []
    deal = desk.lead(deal, "delivered")
    (entry,) = entries_of(shop, deal)
    assert entry["totalDebit"] == entry["totalCredit"] > 0
    assert deal["accountingStatus"] == "posted"
    assert desk.read(f"/vehicles/{deal['vehicle']['vehicleId']}")["status"] == "retail_sold"
    events = {e["type"] for e in desk.guest.all("/events") if e["entityId"] == deal["dealId"]}
    assert events == {"deal.delivered", "deal.posted"}
    recaps = desk.guest.all("/deals/recaps", dealId=deal["dealId"])
    assert sorted(recap["recapStatus"] for recap in recaps) == ["draft", "final"]
    deal = desk.lead(deal, "finalized")
    assert deal["finalizedAt"] is not None
    assert contract_file.validator("Deal").is_valid(deal)
    assert statuses(shop, deal) == ["penciled", "pending", "contracted", "delivered", "finalized"]
    books_of(shop).hold()


@pytest.mark.parametrize("financed", [True, False])
def test_an_unwound_deal_gives_vehicle_money_and_journal_back(
    shop: Shop, desk: Desk, *, financed: bool
) -> None:
    deal = desk.lead(desk.deal(financed=financed), "contracted", "delivered")
    path = f"/deals/{deal['dealId']}"
    shop.pass_time(1)
    answer = desk.step(path, "unwound", "delivered", reason="lender backed out")
    assert answer.status_code == 200
    assert answer.json()["unwindReason"] == "lender backed out"
    posted, reversal = sorted(entries_of(shop, deal), key=lambda e: e["status"], reverse=True)
    assert posted["status"] == "reversed"
    assert reversal["reversesJournalEntryId"] == posted["journalEntryId"]
    assert desk.read(f"/vehicles/{deal['vehicle']['vehicleId']}")["status"] == "in_stock"
    applied = [
        item["amount"]
        for receipt in desk.guest.all("/accounting/receipts", dealId=deal["dealId"])
        for item in receipt["appliedTo"]
    ]
    assert applied
    assert sum(applied) == 0
    books_of(shop).hold()


def test_a_lost_contract_gives_the_money_back_and_a_voided_deal_is_at_its_end(
    shop: Shop, desk: Desk
) -> None:
    signed = (desk.lead(desk.deal(), "contracted") for _ in range(8))
    paid = next(d for d in signed if desk.guest.all("/accounting/receipts", dealId=d["dealId"]))
    lost = desk.lead(paid, "lost")
    voided = desk.lead(desk.deal(), "voided")
    assert voided["voidedAt"] is not None
    for deal in (lost, voided):
        answer = desk.step(f"/deals/{deal['dealId']}", "pending", deal["status"])
        assert refusal(answer) == (422, "status_not_allowed", "status", deal["status"])
    books_of(shop).hold()


def test_a_deal_of_the_worlds_past_can_be_unwound(shop: Shop, desk: Desk) -> None:
    deal = next(d for d in desk.guest.all("/deals", status="finalized"))
    assert desk.lead(deal, "unwound")["status"] == "unwound"
    books_of(shop).hold()


def test_no_status_goes_backwards(shop: Shop, desk: Desk) -> None:
    order = ["penciled", "pending", "contracted", "delivered", "finalized"]
    deal = desk.deal()
    before = shop.stats()["lastSeq"]
    for step in order[1:]:
        deal = desk.lead(deal, step)
        for earlier in order[: order.index(step) + 1]:
            answer = desk.step(f"/deals/{deal['dealId']}", earlier, step)
            assert refusal(answer) == (422, "status_not_allowed", "status", step)
    assert len(writes_since(shop, before)) == len(order) - 1


def test_a_wrong_expectation_is_refused_with_what_the_dms_holds(shop: Shop, desk: Desk) -> None:
    deal = desk.lead(desk.deal(), "contracted")
    before = shop.stats()["lastSeq"]
    answer = desk.step(f"/deals/{deal['dealId']}", "contracted", "penciled")
    assert refusal(answer) == (409, "status_conflict", "expectedStatus", "contracted")
    assert shop.stats()["lastSeq"] == before


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    terms = {"finance": {"aprPercent": 4}}
    for answer in (
        desk.step("/deals/deal_no", "contracted", "penciled"),
        desk.guest.send("PATCH", "/deals/deal_no", json=terms),
    ):
        assert refusal(answer)[:2] == (404, "record_not_found")


def test_a_vehicle_is_sold_once(desk: Desk) -> None:
    first = desk.deal()
    body = {
        "customerId": desk.customer["customerId"],
        "vehicle": {"vin": first["vehicle"]["vin"]},
    }
    second = desk.read(f"/deals/{desk.guest.post('/deals', body).json()['dealId']}")
    desk.lead(first, "contracted", "delivered")
    answer = desk.step(f"/deals/{second['dealId']}", "contracted", "penciled")
    assert refusal(answer)[:3] == (422, "validation_failed", "status")
    assert "retail_sold" in answer.json()["error"]["message"]


def test_a_merged_customer_signs_nothing(shop: Shop, desk: Desk) -> None:
    buyer = desk.guest.post("/customers", {"externalId": "merged-buyer", "lastName": "Gone"}).json()
    survivor = desk.customer
    desk.customer = buyer
    deal = desk.deal()
    shop.control("merge", {"from": buyer["customerId"], "into": survivor["customerId"]})
    answer = desk.step(f"/deals/{deal['dealId']}", "contracted", "penciled")
    assert refusal(answer)[:2] == (422, "customer_merged")


def test_a_deal_that_loses_money_waits_for_an_approval(shop: Shop, desk: Desk) -> None:
    deal = desk.lead(desk.deal(profit=-900), "contracted")
    path = f"/deals/{deal['dealId']}"
    before = shop.stats()["lastSeq"]
    locked = shop.stats()["refusals"].get("POST /deals/{id}/status 423", 0)
    answer = desk.step(path, "delivered", "contracted")
    assert refusal(answer)[:3] == (423, "approval_pending", "status")
    assert shop.stats()["lastSeq"] == before
    assert shop.stats()["refusals"]["POST /deals/{id}/status 423"] == locked + 1
    shop.control("approve", {"dealId": deal["dealId"]})
    assert desk.lead(deal, "delivered")["status"] == "delivered"
    books_of(shop).hold()


def test_terms_change_what_follows_from_them_and_the_books_tie(shop: Shop, desk: Desk) -> None:
    deal = desk.lead(desk.deal(), "contracted")
    path = f"/deals/{deal['dealId']}"
    body = {
        "finance": {"lenderCode": "0117", "aprPercent": 4.25, "termMonths": 48},
        "expectedUpdatedAt": deal["updatedAt"],
    }
    answer = desk.guest.send("PATCH", path, json=body)
    assert answer.status_code == 200
    changed = decode(answer.content)
    assert changed == decode(desk.guest.get(path).content)
    finance = changed["finance"]
    assert (finance["lenderName"], finance["termMonths"]) == ("First Harbor Bank", 48)
    assert finance["amountFinanced"] == Decimal(str(deal["finance"]["amountFinanced"]))
    assert finance["paymentAmount"] > Decimal(str(deal["finance"]["paymentAmount"]))
    assert changed["taxes"] == decode(desk.guest.get(path).content)["taxes"]
    reserve = {"finance": {"reserveAmount": 321.5}}
    changed = decode(desk.guest.send("PATCH", path, json=reserve).content)
    assert changed["gross"]["back"] == Decimal("321.5")
    lender = {"finance": {"lenderCode": "AFC"}}
    changed = decode(desk.guest.send("PATCH", path, json=lender).content)
    assert changed["finance"]["reserveAmount"] == Decimal("321.5")
    desk.lead(deal, "delivered")
    books_of(shop).hold()


def test_a_rate_too_small_to_be_felt_is_none(desk: Desk) -> None:
    path = f"/deals/{desk.deal()['dealId']}"
    tiny, none = (
        desk.guest.send("PATCH", path, json={"finance": {"aprPercent": rate}}).json()["finance"]
        for rate in (1e-30, 0)
    )
    assert tiny["paymentAmount"] == none["paymentAmount"] > 0


@pytest.mark.parametrize(
    ("finance", "field"),
    [
        ({"aprPercent": -1}, "aprPercent"),
        ({"aprPercent": 100}, "finance.aprPercent"),
        ({"termMonths": 0}, "finance.termMonths"),
        ({"termMonths": 181}, "finance.termMonths"),
        ({"reserveAmount": 10_000_000}, "finance.reserveAmount"),
        ({"lenderCode": None}, "finance"),
    ],
)
def test_impossible_terms_are_refused_by_field(
    shop: Shop, desk: Desk, finance: Record, field: str
) -> None:
    deal = desk.deal()
    before = shop.stats()["lastSeq"]
    answer = desk.guest.send("PATCH", f"/deals/{deal['dealId']}", json={"finance": finance})
    assert refusal(answer)[:3] == (422, "validation_failed", field)
    assert shop.stats()["lastSeq"] == before


def test_terms_of_a_newer_a_delivered_or_a_cash_deal_stay(shop: Shop, desk: Desk) -> None:
    deal = desk.deal()
    shop.pass_time(2)
    desk.lead(deal, "contracted")
    terms: Record = {"finance": {"aprPercent": 3}}
    path = f"/deals/{deal['dealId']}"
    stale = terms | {"expectedUpdatedAt": deal["updatedAt"]}
    answer = desk.guest.send("PATCH", path, json=stale)
    now = desk.read(path)["updatedAt"]
    assert refusal(answer) == (409, "version_conflict", "expectedUpdatedAt", now)
    desk.lead(desk.read(path), "delivered")
    answer = desk.guest.send("PATCH", path, json=terms)
    assert refusal(answer) == (422, "status_not_allowed", "finance", "delivered")
    cash = desk.deal(financed=False)
    answer = desk.guest.send("PATCH", f"/deals/{cash['dealId']}", json=terms)
    assert refusal(answer)[:3] == (422, "validation_failed", "finance")


def test_a_queued_status_is_refused_at_once_or_told_by_its_operation(tmp_path: Path) -> None:
    store = tmp_path / "world.sqlite"
    options = (
        *("--vehicles", "60", "--days", "10", "--mfa-type", "none", "--approvals", "all"),
        *("--queue-deals", "--queue-milliseconds", "60000", "--store", str(store)),
    )
    with serving(tmp_path, *options) as shop, visiting(shop) as guest:
        desk = Desk(guest)
        deal = desk.deal()
        path = f"/deals/{deal['dealId']}"
        answer = desk.step(path, "delivered", "penciled")
        assert refusal(answer)[:2] == (422, "status_not_allowed")
        rivals = [desk.step(path, status, "penciled") for status in ("contracted", "lost")]
        assert [rival.status_code for rival in rivals] == [202, 202]
        shop.pass_time(60)
        first, second = (desk.end(rival) for rival in rivals)
        assert first["status"] == "succeeded"
        assert first["result"]["status"] == "contracted"
        assert second["status"] == "failed"
        assert second["error"]["code"] == "status_conflict"
        assert second["error"]["details"][0]["current"] == "contracted"
        answer = desk.step(path, "delivered", "contracted")
        assert refusal(answer)[:2] == (423, "approval_pending")
        terms = {"finance": {"aprPercent": 3}}
        assert refusal(guest.send("PATCH", path, json=terms))[:3] == (
            *(423, "approval_pending"),
            "finance",
        )
        shop.control("approve", {"dealId": deal["dealId"]})
        late = desk.step(path, "delivered", "contracted")
        assert late.status_code == 202
        shop.kill()
    again = ("--mfa-type", "none", "--store", str(store))
    with serving(tmp_path, *again) as shop, visiting(shop) as guest:
        desk = Desk(guest)
        assert desk.end(late)["status"] == "succeeded", "approval and action outlive the server"
        assert desk.read(path)["status"] == "delivered"


@pytest.mark.parametrize("kind", ["deal", "order"])
def test_what_is_posted_in_a_new_month_has_its_period(tmp_path: Path, kind: str) -> None:
    options = ("--vehicles", "60", "--days", "10", "--mfa-type", "none")
    with serving(tmp_path, *options) as shop, visiting(shop) as guest:
        desk = Desk(guest)
        sold, visited = desk.deal(), desk.order()
        shop.pass_time(40 * 86_400)
        assert guest.login().ok
        if kind == "deal":
            desk.lead(sold, "contracted", "delivered")
        else:
            desk.work(visited, "in_progress", "completed", "closed")
        names = ("companyId", "fiscalYear", "fiscalPeriod", "periodStatus")
        periods = {tuple(p[name] for name in names) for p in shop.records("accounting_periods")}
        documents = {sold["dealId"], visited["repairOrderId"]}
        (entry,) = (
            entry
            for entry in shop.records("gl_entries")
            if documents & {entry["dealId"], entry["repairOrderId"]}
        )
        assert tuple(entry[name] for name in names) in periods
        assert entry["periodStatus"] == "open"


def test_only_a_deal_can_be_approved(shop: Shop, visitor: Visitor) -> None:
    answer = visitor.http.post(
        f"{shop.facts['control_url'].rstrip('/')}/approve", json={"dealId": "deal_no"}, timeout=30
    )
    assert answer.status_code == 422
