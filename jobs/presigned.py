"""Links that let anybody read one object for some minutes: AWS Signature Version 4 in the query.

obstore signs links, too, but none that give the download its name and type, which are a part of what is signed; an
object here is named by its hash, and would be saved under it.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, and for which address.

    Attributes:
        endpoint: Address of the store as readers reach it; empty for Amazon's own.
        region: Its region.
        key_id: Name of the key.
        secret: The key.
    """

    endpoint: str
    region: str
    key_id: str
    secret: str

    def link(self, path: str, said: Mapping[str, str], lifetime: timedelta, now: datetime) -> str:
        """An address from which an object (``bucket/key``) can be read for a time.

        Args:
            path: The object.
            said: What the reply is to say, such as ``response-content-type``.
            lifetime: How long it can be read, at most a week.
            now: When it begins, in UTC.
        """
        base = self.endpoint.rstrip("/") or f"https://s3.{self.region}.amazonaws.com"
        stamp, scope = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}/{self.region}/s3/aws4_request"
        asked = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.key_id}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(int(lifetime.total_seconds())),
            "X-Amz-SignedHeaders": "host",
            **said,
        }
        query = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in sorted(asked.items()))
        place = urlsplit(base).path + "/" + quote(path, safe="/-_.~")
        canonical = "\n".join(["GET", place, query, f"host:{urlsplit(base).netloc}", "", "host", "UNSIGNED-PAYLOAD"])
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.new(self._key(scope), f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode(), hashlib.sha256)
        return f"{base}/{quote(path, safe='/-_.~')}?{query}&X-Amz-Signature={signature.hexdigest()}"

    def _key(self, scope: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def attachment(name: str) -> str:
    """What has a browser save a file under a name of any script (RFC 6266)."""
    plain = "".join(one if one.isascii() and one.isprintable() and one not in '"\\%;' else "_" for one in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")
