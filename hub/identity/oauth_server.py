"""The token endpoint's rules, by Authlib: client_credentials, RFC 7523, 7009, 7662.

The one file that imports Authlib, and only once somebody asks for a token: it takes 0.3 s. Authlib
is synchronous, so all of this runs in a thread; the store is reached through a `Store`, whose
calls wait there for the event loop. Tokens, secrets and assertions are logged nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidClientError,
    InvalidScopeError,
    OAuth2Error,
    OAuth2Payload,
    OAuth2Request,
    TokenMixin,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from joserfc import jwt
from joserfc.errors import JoseError

from catalog.errors import Unauthenticated
from hub.identity.credentials import is_secret, public_keys
from hub.identity.jwks import PublicKey
from hub.identity.oauth_request import METHODS, SIGNED, Asking, Registered, Reply, Store
from hub.identity.tokens import GRANT, SKEW_S, TTL_S, Claims, Tokens
from store.clients import GATEWAY, JWK, SECRET

ASSERTION_S = 3_600  # what libraries give one; it is remembered as long as it lives
MAX_JTI = 256
ASSERTION_HEADERS = frozenset({"alg", "typ", "kid"})


class _Client(ClientMixin):
    """A registered client as Authlib asks about it."""

    def __init__(self, registered: Registered) -> None:
        self.registered = registered

    def get_client_id(self) -> str:
        return self.registered.client.id

    def check_client_secret(self, client_secret: str) -> bool:
        return is_secret(self.registered.keys, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return self.registered.has(JWK if method == SIGNED else SECRET)

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == GRANT


class _Payload(OAuth2Payload):
    def __init__(self, form: Mapping[str, str]) -> None:
        self._form = form

    @property
    def data(self) -> Mapping[str, str]:
        return self._form

    @property
    def datalist(self) -> Mapping[str, list[str]]:
        return {name: [value] for name, value in self._form.items()}


class _Request(OAuth2Request):
    def __init__(self, asking: Asking) -> None:
        super().__init__("POST", asking.uri, headers=dict(asking.headers))
        self.asking, self.payload = asking, _Payload(asking.form)

    @property
    def form(self) -> Mapping[str, str]:
        return self.asking.form


class _Assertion(JWTBearerClientAssertion):
    """RFC 7523 with our own demands on the signature: the algorithm is the registered key's."""

    CLIENT_AUTH_METHOD = SIGNED

    def __init__(self, store: Store, audiences: list[str]) -> None:
        super().__init__(leeway=SKEW_S)
        self._store, self._audiences = store, audiences

    def get_audiences(self) -> list[str]:
        return self._audiences

    def resolve_client_public_key(self, client: _Client) -> tuple[PublicKey, ...]:
        return public_keys(client.registered.keys)

    def process_assertion_claims(
        self, assertion: str, resolve_key: tuple[PublicKey, ...]
    ) -> dict[str, Any]:
        header, _ = self.extract_assertion(assertion)
        if not header.keys() <= ASSERTION_HEADERS:
            raise InvalidClientError
        for key in resolve_key:
            if header.get("alg") == key.algorithm:
                try:
                    token = jwt.decode(assertion, key.key, algorithms=[key.algorithm])
                except (JoseError, ValueError):
                    continue
                self.verify_claims(token.claims)
                return token.claims
        raise InvalidClientError

    def validate_jti(self, claims: dict[str, Any], jti: object) -> bool:
        ends = claims["exp"]
        if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
            return False
        if ends > time.time() + ASSERTION_S + SKEW_S:
            return False
        return self._store.first_use(claims["sub"], jti, int(ends) + 2 * SKEW_S)


class _Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def authenticate_token_endpoint_client(self) -> _Client:
        return _proved(self.request, super().authenticate_token_endpoint_client())

    def validate_requested_scope(self) -> None:
        allowed = self.client.registered.client.purposes
        if not {*self._asked()} <= {*allowed}:
            raise InvalidScopeError

    def generate_token(self, **_: object) -> dict[str, Any]:
        known = self.client.registered
        purposes = self._asked() or known.client.purposes
        token = self.server.tokens.issue(
            known.client.principal,
            purposes,
            client=known.client.id,
            epoch=known.epoch,
            machine=True,
            certificate=self.request.asking.certificate,
        )
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TTL_S,
            "scope": " ".join(purposes),
        }

    def _asked(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.request.payload.scope or "").split()))


class _Token(TokenMixin):
    """A verified token of ours as Authlib asks about it."""

    def __init__(self, claims: Claims) -> None:
        self.claims = claims

    def check_client(self, client: _Client) -> bool:
        return self.claims.machine and self.claims.client == client.registered.client.id

    def is_expired(self) -> bool:
        return False  # it would not have been verified

    def is_revoked(self) -> bool:
        return False  # asked of the store, with all else that may stand against it


class _Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = METHODS

    def authenticate_endpoint_client(self, request: _Request) -> _Client:
        return _proved(request, super().authenticate_endpoint_client(request))

    def query_token(self, token_string: str, token_type_hint: str | None) -> _Token | None:
        found: _Token | None = self.server.token(token_string)
        return found

    def revoke_token(self, token: _Token, request: _Request) -> None:
        self.server.store.revoke(token.claims)


class _Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = METHODS

    def authenticate_endpoint_client(self, request: _Request) -> _Client:
        return _proved(request, super().authenticate_endpoint_client(request))

    def query_token(self, token_string: str, token_type_hint: str | None) -> _Token | None:
        found: _Token | None = self.server.token(token_string)
        return found

    def check_permission(self, token: _Token, client: _Client, request: _Request) -> bool:
        """A system is told of its own tokens, a gateway of whatever it is shown."""
        asked = client.registered.client.kind == GATEWAY or token.check_client(client)
        return asked and bool(self.server.store.stands(token.claims))

    def introspect_token(self, token: _Token) -> dict[str, Any]:
        claims = token.claims
        told = {
            "active": True,
            "sub": claims.sub,
            "client_id": claims.client,
            "scope": " ".join(claims.purposes),
            "exp": claims.exp,
            "iat": claims.iat,
            "jti": claims.jti,
            "token_type": "Bearer",
        }
        bound = claims.certificate
        return told if bound is None else {**told, "cnf": {"x5t#S256": bound}}


class Server(AuthorizationServer):
    """One per process; each request is an Asking of its own."""

    def __init__(self, tokens: Tokens, store: Store, audiences: list[str]) -> None:
        super().__init__()
        self.tokens, self.store = tokens, store
        self.register_client_auth_method(SIGNED, _Assertion(store, audiences))
        self.register_grant(_Grant)
        self.register_endpoint(_Revocation)
        self.register_endpoint(_Introspection)

    def reply(self, what: str, asking: Asking) -> Reply:
        """The answer to a request for ``token``, ``revocation`` or ``introspection``."""
        try:
            if what == "token":
                made: Reply = self.create_token_response(asking)
            else:
                made = self.create_endpoint_response(what, asking)
        except (ValueError, RecursionError):  # a header or assertion nobody can read
            return Reply(401, {"error": "invalid_client"})
        return made

    def token(self, text: str) -> _Token | None:
        """A token of ours that is neither forged nor expired."""
        try:
            return _Token(self.tokens.verify(text))
        except Unauthenticated:
            return None

    def query_client(self, client_id: str) -> _Client | None:
        """The client, if it is let in."""
        found = self.store.registered(client_id)
        return None if found is None else _Client(found)

    def save_token(self, token: object, request: object) -> None:
        """A token speaks for itself; that it was given is recorded by the caller."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Asking) -> _Request:
        """The request in Authlib's shape."""
        return _Request(request)

    def create_json_request(self, request: object) -> None:
        """No endpoint of ours takes JSON."""
        raise OAuth2Error(error="invalid_request")

    def handle_response(self, status: int, body: Mapping[str, Any], _headers: object) -> Reply:
        """The answer; of an error its code alone, for its text may quote what was sent."""
        if "error" in body:
            code = body["error"]
            return Reply(401 if code == "invalid_client" else 400, {"error": code})
        return Reply(status, body)


def _proved(request: _Request, client: _Client) -> _Client:
    """A client that has proved itself, if its certificate, where one is shown, is its own."""
    asking = request.asking
    if asking.certificate is not None and not client.registered.shows(asking.certificate):
        raise InvalidClientError
    asking.client, asking.method = client.registered.client, request.auth_method
    return client
