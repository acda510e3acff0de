"""Play the management of dedicated endpoints, and the status page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from attrs import frozen

from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.failures import not_found, string_error
from bytebuddy_provider_hf.testing.hub_bill import ENDPOINTS, Account
from bytebuddy_provider_hf.testing.hub_catalogue import dollars_json
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest


@frozen
class ManagedEndpoint:
    """A dedicated endpoint as its owner's page has it.

    ``hourly`` is the price of a replica in 10⁻⁹ USD, ``None`` where it is not listed;
    ``idle_minutes`` after how long without a request it scales to zero, ``None`` where
    never. Times are seconds of the Unix clock.
    """

    name: str
    namespace: str
    model: str = "org/name"
    state: str = "running"
    hourly: int | None = 800_000_000
    ready: int = 1
    least: int = 0
    most: int = 1
    idle_minutes: int | None = 60
    last_used: float | None = None
    created: float = 1_700_000_000.0
    updated: float = 1_700_000_000.0
    vendor: str = "aws"
    region: str = "us-east-1"
    instance_type: str = "nvidia-l4"
    instance_size: str = "x1"

    @property
    def url(self) -> str:
        """Where it answers."""
        place = f"{self.region}.{self.vendor}.endpoints.huggingface.cloud"
        return f"https://{self.name}.{place}"

    def json(self) -> dict[str, object]:
        """Return what the management API says of it."""
        used = None if self.last_used is None else _iso(self.last_used)
        return {
            "name": self.name,
            "type": "protected",
            "provider": {"vendor": self.vendor, "region": self.region},
            "compute": {
                "accelerator": "gpu",
                "instanceType": self.instance_type,
                "instanceSize": self.instance_size,
                "scaling": {
                    "minReplica": self.least,
                    "maxReplica": self.most,
                    "scaleToZeroTimeout": self.idle_minutes,
                },
            },
            "model": {
                "repository": self.model,
                "task": "text-generation",
                "image": {"tgi": {}},
            },
            "status": {
                "state": self.state,
                "url": self.url,
                "readyReplica": self.ready,
                "targetReplica": self.ready,
                "lastUsedAt": used,
                "createdAt": _iso(self.created),
                "updatedAt": _iso(self.updated),
            },
        }


def management_reply(
    request: FakeRequest, endpoints: Sequence[ManagedEndpoint], holder: Account
) -> FakeReply:
    """Answer ``/v2/endpoint/{namespace}`` and ``/v2/provider/{namespace}``."""
    kind, namespace, *rest = [*request.path.removeprefix("/v2/").split("/"), ""]
    if not holder.may(ENDPOINTS, namespace):
        return string_error(403, "403 Forbidden")
    own = [each for each in endpoints if each.namespace == namespace]
    name = rest[0] if rest else ""
    if kind == "provider":
        return json_reply({"vendors": [_vendor_json(each) for each in endpoints]})
    if kind != "endpoint":
        return not_found()
    if not name:
        return json_reply({"items": [each.json() for each in own]})
    found = [each.json() for each in own if each.name == name]
    return json_reply(found[0]) if found else not_found()


def status_reply(state: str, affected: Mapping[str, str]) -> FakeReply:
    """Answer the status page: of everything, and of what is not operational."""
    page = {"id": "1", "type": "status_page", "attributes": {"aggregate_state": state}}
    resources = [
        {
            "id": str(at),
            "type": "status_page_resource",
            "attributes": {"public_name": name, "status": said},
        }
        for at, (name, said) in enumerate(affected.items())
    ]
    return json_reply({"data": page, "included": resources})


def _vendor_json(endpoint: ManagedEndpoint) -> dict[str, object]:
    compute: dict[str, object] = {
        "id": f"{endpoint.vendor}-{endpoint.region}-{endpoint.instance_type}",
        "accelerator": "gpu",
        "instanceType": endpoint.instance_type,
        "instanceSize": endpoint.instance_size,
        "status": "available",
    }
    if endpoint.hourly is not None:
        compute["pricePerHour"] = dollars_json(endpoint.hourly)
    region = {"name": endpoint.region, "status": "available", "computes": [compute]}
    return {"name": endpoint.vendor, "status": "available", "regions": [region]}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
