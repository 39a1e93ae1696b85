"""`specspan console`: figures, traces, specs, policies and reviews of a store in a browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specspan.cli.options import environment_option, import_modules, import_option
from specspan.cli.storage import db_option
from specspan.errors import MissingDependency, Problem
from specspan.stores.opening import absolute_address, find_kind, store_address
from specspan.stores.people import Role

if TYPE_CHECKING:
    from specspan.console.console_server import AccessOptions, ConsoleServer

_PORT = 8321
_SECRET = "SPECSPAN_CONSOLE_OIDC_SECRET"  # noqa: S105 - a variable's name
_ROLES = click.Choice([role.value for role in Role])


@click.command("console")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0: any free one.")
@click.option("--policy", type=click.Path(path_type=Path), envvar="SPECSPAN_POLICY", help="Policy that is shown.")
@click.option("--spec", "specs", type=click.Path(path_type=Path), multiple=True, help="Spec that is shown; repeatable.")
@click.option("--public-url", metavar="URL", help="Address that browsers use, such as https://console.example.")
@click.option("--oidc-issuer", metavar="URL", help="Have people log in with this OpenID Connect provider.")
@click.option("--oidc-client-id", metavar="ID", help=f"Registration there; its secret is {_SECRET}.")
@click.option("--trusted-proxy", "proxies", metavar="ADDRESS", multiple=True, help="Believe this proxy's headers.")
@click.option("--user-header", metavar="NAME", default="X-Forwarded-User", show_default=True, help="Name of a person.")
@click.option("--groups-header", metavar="NAME", default="X-Forwarded-Groups", show_default=True, help="Their groups.")
@click.option("--groups-claim", metavar="NAME", default="groups", show_default=True, help="Claim of their groups.")
@click.option("--role", "roles", metavar="ROLE=GROUP", multiple=True, help="Role of a group's people; repeatable.")
@click.option("--default-role", type=_ROLES, help="Role of people in none of the groups.")
@db_option
@environment_option
@import_option
def command(modules: tuple[str, ...], **options: Any) -> None:
    """Show the store in a browser, at an address that works once and on this machine alone.

    Beyond this machine, people log in with OpenID Connect or come through a proxy that knows them.
    """
    try:
        from specspan.console import console_server
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        problem = Problem(f"needs {missing!r}", "Run: pip install 'specspan[console]'")
        raise MissingDependency("specspan console", problem) from error
    with import_modules(modules):
        _server(console_server.ConsoleServer, console_server.AccessOptions, options).run(click.echo)


def _server(
    make_server: Callable[..., ConsoleServer], make_access: Callable[..., AccessOptions], options: dict[str, Any]
) -> ConsoleServer:
    import os

    address = absolute_address(store_address(options["db"]))
    find_kind(address)  # an address that nothing could ever be read from is refused now; a file may yet be made
    default = options["default_role"]
    given = ("public_url", "oidc_issuer", "oidc_client_id", "user_header", "groups_header", "groups_claim")
    access = make_access(
        **{name: options[name] for name in given},
        oidc_client_secret=os.environ.get(_SECRET),
        proxies=_networks(options["proxies"]),
        roles=_roles(options["roles"]),
        default_role=None if default is None else Role(default),
    )
    own = {name: options[name] for name in ("host", "port", "policy", "specs", "environment")}
    return make_server(db=address, access=access, **own)


def _networks(texts: Sequence[str]) -> list[Any]:
    from specspan.console.access.trusted_proxy import parse_network

    try:
        return [parse_network(text) for text in texts]
    except ValueError as error:
        raise click.BadParameter(f"{error}", param_hint="--trusted-proxy") from error


def _roles(texts: Sequence[str]) -> dict[str, Role]:
    from specspan.console.access.authentication import parse_role

    found = {}
    for text in texts:
        role, equals, group = text.partition("=")
        if not equals or not group.strip():
            raise click.BadParameter(f"{text!r} is not ROLE=GROUP", param_hint="--role")
        try:
            found[group.strip()] = parse_role(role)
        except ValueError as error:
            raise click.BadParameter(f"{error}", param_hint="--role") from error
    return found
