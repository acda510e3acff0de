"""Play the management of dedicated endpoints, and the status page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.failures import not_found, string_error
from bytebuddy_provider_hf.testing.hub_bill import ENDPOINTS, Account, iso
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
        # Null until the first request, as the API has it.
        used = None if self.last_used is None else iso(self.last_used)
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
                "createdAt": iso(self.created),
                "updatedAt": iso(self.updated),
            },
        }

    def vendor_json(self) -> dict[str, object]:
        """Return the list of hardware with the one kind that it runs on."""
        compute: dict[str, object] = {
            "id": f"{self.vendor}-{self.region}-{self.instance_type}",
            "accelerator": "gpu",
            "instanceType": self.instance_type,
            "instanceSize": self.instance_size,
            "status": "available",
        }
        if self.hourly is not None:
            compute["pricePerHour"] = dollars_json(self.hourly)
        region = {"name": self.region, "status": "available", "computes": [compute]}
        return {"name": self.vendor, "status": "available", "regions": [region]}


def management_reply(
    request: FakeRequest, endpoints: Sequence[ManagedEndpoint], holder: Account
) -> FakeReply:
    """Answer ``/v2/endpoint/{namespace}`` and ``/v2/provider/{namespace}``."""
    kind, namespace, *rest = [*request.path.removeprefix("/v2/").split("/"), ""]
    # The API does not tell a stranger whether the namespace is there.
    if not holder.may(ENDPOINTS, namespace):
        return string_error(403, "403 Forbidden")
    own = [each for each in endpoints if each.namespace == namespace]
    name = rest[0] if rest else ""
    # Prices are those of the hardware, whoever runs on it.
    if kind == "provider":
        return json_reply({"vendors": [each.vendor_json() for each in endpoints]})
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
