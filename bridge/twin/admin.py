"""The twin's own endpoints under /twin, for tests, demos and scenarios; no vCenter has them.

Every request needs `Authorization: Bearer <admin token>` and must come from this machine. A host is
meant by its identifier or its name.

| request | does |
|---|---|
| GET /twin/hosts | the state of all hosts, of the counts and of the sessions |
| POST /twin/hosts | puts another host into a cluster: a HostChange that names one |
| POST /twin/hosts/{host} | changes level, drain, status, connection, power or cluster: HostChange |
| DELETE /twin/hosts/{host} | takes the host out of the inventory |
| POST /twin/hosts/{host}/reboot | boots the host anew |
| POST /twin/hosts/{host}/install | installs it from the kickstart file in the body, and boots |
| POST /twin/hosts/{host}/esxcli | {"arguments": ["system", …]}: exit code and output of esxcli |
| GET /twin/events?since=N | the events after number N |
| GET /twin/faults | the rules in force, with how often each matched and struck |
| PUT /twin/faults | sets the rules: a JSON array of FaultRule |
| POST /twin/faults | adds rules behind those in force |
| DELETE /twin/faults | clears them |
| DELETE /twin/sessions | ends all sessions |
| POST /twin/clock | {"jump_seconds": N} moves the twin's time forward |
"""

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.twin.center import Center
from bridge.twin.clock import MOST_JUMP_SECONDS
from bridge.twin.errors import ApiError, invalid_argument, unauthenticated, unauthorized
from bridge.twin.esxcli import run_esxcli
from bridge.twin.failure import TwinError
from bridge.twin.faults import read_rules
from bridge.twin.hostadmin import HostChange, host_state
from bridge.twin.installer import read_kickstart
from bridge.twin.rest import error_response
from bridge.twin.trouble import json_response


class _Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    arguments: list[str]


class _Jump(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    jump_seconds: float = Field(ge=0, le=MOST_JUMP_SECONDS, allow_inf_nan=False)


Handler = Callable[[web.Request], Awaitable[web.Response]]


class Admin:
    """Shows and changes the state behind the faces."""

    def __init__(self, center: Center, token: str) -> None:
        self._center = center
        self._expected = f"Bearer {token}".encode()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register every path of these endpoints."""
        router.add_route("GET", "/twin/hosts", self._guarded(self._hosts))
        router.add_route("POST", "/twin/hosts", self._guarded(self._add_host))
        router.add_route("POST", "/twin/hosts/{host}", self._guarded(self._change_host))
        router.add_route("DELETE", "/twin/hosts/{host}", self._guarded(self._remove_host))
        router.add_route("POST", "/twin/hosts/{host}/reboot", self._guarded(self._reboot))
        router.add_route("POST", "/twin/hosts/{host}/install", self._guarded(self._install))
        router.add_route("POST", "/twin/hosts/{host}/esxcli", self._guarded(self._esxcli))
        router.add_route("GET", "/twin/events", self._guarded(self._events))
        router.add_route("GET", "/twin/faults", self._guarded(self._faults))
        router.add_route("PUT", "/twin/faults", self._guarded(self._set_faults))
        router.add_route("POST", "/twin/faults", self._guarded(self._add_faults))
        router.add_route("DELETE", "/twin/faults", self._guarded(self._clear_faults))
        router.add_route("DELETE", "/twin/sessions", self._guarded(self._expire_sessions))
        router.add_route("POST", "/twin/clock", self._guarded(self._jump))

    def _guarded(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            try:
                self._authorize(request)
                return await handler(request)
            except ApiError as error:
                return error_response(error)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(it) for it in first["loc"]) or "the document"
                return error_response(invalid_argument(f"{where}: {first['msg']}"))
            except (TwinError, ValueError) as error:
                return error_response(invalid_argument(str(error)))

        return handle

    def _authorize(self, request: web.Request) -> None:
        peer = ipaddress.ip_address(request.remote or "0.0.0.0")  # noqa: S104
        if not peer.is_loopback:
            raise unauthorized()
        shown = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(shown, self._expected):
            raise unauthenticated()

    async def _hosts(self, _request: web.Request) -> web.Response:
        center = self._center
        now = center.fleet.advance()
        counts = center.counts
        return _json(
            {
                "now_seconds": now,
                "time_seconds": center.clock.wall(now),
                "sessions": {
                    "alive": center.sessions.count(now),
                    "logins": center.sessions.logins,
                    "refused_logins": center.sessions.refused_logins,
                },
                "counts": {
                    "requests": counts.requests,
                    "answers": counts.answers,
                    "accepted_bytes": counts.accepted_bytes,
                    "discarded_bytes": counts.discarded_bytes,
                },
                "hosts": [host_state(it, now) for it in center.fleet.hosts.values()],
            }
        )

    async def _add_host(self, request: web.Request) -> web.Response:
        fleet = self._center.fleet
        change = HostChange.model_validate_json(await request.read())
        if change.cluster is None:
            raise invalid_argument("cluster: into which one?")
        host = fleet.add_another(fleet.place_in(change.cluster))
        now = self._center.clock.now()
        change.apply(host, fleet, now)
        return _json(host_state(host, now))

    async def _change_host(self, request: web.Request) -> web.Response:
        host = self._center.fleet.named(request.match_info["host"])
        change = HostChange.model_validate_json(await request.read())
        now = self._center.clock.now()
        change.apply(host, self._center.fleet, now)
        return _json(host_state(host, now))

    async def _reboot(self, request: web.Request) -> web.Response:
        host = self._center.fleet.named(request.match_info["host"])
        now = self._center.clock.now()
        host.entropyd.reboot(now)
        return _json(host_state(host, now))

    async def _install(self, request: web.Request) -> web.Response:
        host = self._center.fleet.named(request.match_info["host"])
        payload = read_kickstart(await request.read(), self._center.readings.payload_units)
        now = self._center.clock.now()
        host.entropyd.install(payload.sources, len(payload.raw), now)
        return _json(host_state(host, now))

    async def _esxcli(self, request: web.Request) -> web.Response:
        host = self._center.fleet.named(request.match_info["host"])
        asked = _Command.model_validate_json(await request.read())
        now = self._center.clock.now()
        host.entropyd.advance(now)
        code, output = run_esxcli(asked.arguments, host.entropyd, now)
        return _json({"exit_code": code, "output": output})

    async def _remove_host(self, request: web.Request) -> web.Response:
        host = self._center.fleet.named(request.match_info["host"])
        self._center.fleet.remove_host(host.host)
        return web.Response(status=204)

    async def _events(self, request: web.Request) -> web.Response:
        self._center.fleet.advance()
        since = int(request.query.get("since", "0"))
        return _json(
            [
                {
                    "number": it.number,
                    "time_seconds": it.time_seconds,
                    "host": it.host,
                    "event_id": it.event_id,
                    "text": it.text,
                }
                for it in self._center.fleet.events.since(since)
            ]
        )

    async def _faults(self, _request: web.Request) -> web.Response:
        return _json(
            [
                {
                    "rule": it.rule.model_dump(mode="json", exclude_defaults=True),
                    "matched": it.matched,
                    "struck": it.struck,
                }
                for it in self._center.faults.armed
            ]
        )

    async def _set_faults(self, request: web.Request) -> web.Response:
        rules = read_rules(await request.read())
        self._center.faults.set(rules, self._center.clock.now())
        return await self._faults(request)

    async def _add_faults(self, request: web.Request) -> web.Response:
        rules = read_rules(await request.read())
        self._center.faults.add(rules, self._center.clock.now())
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._center.faults.set([], self._center.clock.now())
        return await self._faults(request)

    async def _expire_sessions(self, _request: web.Request) -> web.Response:
        return _json({"expired": self._center.sessions.expire_all()})

    async def _jump(self, request: web.Request) -> web.Response:
        jump = _Jump.model_validate_json(await request.read())
        self._center.clock.jump(jump.jump_seconds)
        return _json({"now_seconds": self._center.clock.now()})


def _json(value: object) -> web.Response:
    return json_response(200, json.dumps(value).encode())
