"""What a store's answer means."""

from __future__ import annotations

import pytest

from automate_api.retry import Trouble
from target_automate.sending.upload_outcomes import PutKind, StoreAnswer, judge


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (StoreAnswer(200), PutKind.DONE),
        (StoreAnswer(201), PutKind.DONE),
        (StoreAnswer(204), PutKind.DONE),
        (StoreAnswer(307), PutKind.REFUSED),
        (StoreAnswer(400), PutKind.EXPIRED),
        (StoreAnswer(400, "ExpiredToken"), PutKind.EXPIRED),
        (StoreAnswer(400, "BadDigest"), PutKind.REFUSED),
        (StoreAnswer(400, "EntityTooLarge"), PutKind.REFUSED),
        (StoreAnswer(401), PutKind.EXPIRED),
        (StoreAnswer(403, "AccessDenied"), PutKind.EXPIRED),
        (StoreAnswer(404, "NoSuchUpload"), PutKind.EXPIRED),
        (StoreAnswer(405), PutKind.REFUSED),
        (StoreAnswer(409), PutKind.TAKEN),
        (StoreAnswer(410), PutKind.EXPIRED),
        (StoreAnswer(411), PutKind.REFUSED),
        (StoreAnswer(412, "PreconditionFailed"), PutKind.TAKEN),
        (StoreAnswer(413), PutKind.REFUSED),
        (StoreAnswer(501), PutKind.REFUSED),
        (StoreAnswer(507), PutKind.REFUSED),
    ],
    ids=str,
)
def test_an_answer_is_judged_by_status_and_code(answer: StoreAnswer, kind: PutKind) -> None:
    assert answer.trouble is None
    outcome = judge(answer)
    assert (outcome.kind, outcome.status) == (kind, answer.status)
    assert bool(outcome.reason) is (kind is not PutKind.DONE)
    assert answer.code is None or answer.code in outcome.reason


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (StoreAnswer(429), Trouble.THROTTLED),
        (StoreAnswer(503, "SlowDown"), Trouble.UNAVAILABLE),
        (StoreAnswer(500), Trouble.BROKEN),
        (StoreAnswer(502), Trouble.GATEWAY),
        (StoreAnswer(524), Trouble.GATEWAY),
        (StoreAnswer(408), Trouble.CUT),
        (StoreAnswer(400, "RequestTimeout"), Trouble.CUT),
    ],
    ids=str,
)
def test_what_another_attempt_may_cure_is_no_verdict(answer: StoreAnswer, trouble: Trouble) -> None:
    assert answer.trouble is trouble
