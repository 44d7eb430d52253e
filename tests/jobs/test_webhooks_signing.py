"""The secret: where it comes from, who agrees on it; and signatures that others can check."""

import base64
import hashlib
import hmac
import stat
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from jobs.settings import Settings
from jobs.webhooks import signing

# The example of the Standard Webhooks specification's own libraries.
SECRET, ID, MOMENT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
BODY, SIGNATURE = b'{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example() -> None:
    assert signing.headers([SECRET], ID, MOMENT, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": str(MOMENT),
        "webhook-signature": SIGNATURE,
    }


def test_plain_secrets_are_taken_as_they_are() -> None:
    made = signing.headers(["a plain long secret"], "dlv_1", 7, b"{}")["webhook-signature"]
    expected = hmac.digest(b"a plain long secret", b"dlv_1.7.{}", hashlib.sha256)
    assert made == f"v1,{base64.b64encode(expected).decode()}"


def test_two_secrets_sign_side_by_side_while_one_is_replaced() -> None:
    settings = Settings(webhook_secret=SecretStr(f"{SECRET}, another secret of some length"))
    both = signing.headers(signing.secrets(settings), ID, MOMENT, BODY)["webhook-signature"].split()
    assert len(both) == 2
    assert both[0] == SIGNATURE


def test_without_one_it_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "new")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(signing.secrets(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(base64.b64decode(found[0].removeprefix("whsec_"))) == 32
    (file,) = settings.home.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("webhook.secret", 0o600)
    assert signing.secrets(settings) == [file.read_text().strip()]


def test_an_empty_variable_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGC_WEBHOOK_SECRET", "")
    assert Settings().webhook_secret is None


@pytest.mark.parametrize("secret", ["short", "whsec_!!!!", "whsec_c2hvcnQ=", f"{SECRET},short"])
def test_secrets_that_cannot_be_used_are_refused_at_the_start_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(webhook_secret=SecretStr(secret))
    assert secret not in str(refused.value)
