"""Why a connection failed, in words that are ours.

libpq gives a failed connection a sentence and no code, and the sentence quotes what it was given:
a password with an `@` in it comes back as a host name. So the sentence is only compared with the
ones known here, and never passed on.
"""

from __future__ import annotations

_REASONS: tuple[tuple[str, str], ...] = (
    ("definition of service", "libpq's service file does not define the service"),
    ("service file", "libpq's service file cannot be read"),
    ("could not translate host name", "its host name is not known"),
    ("failed to resolve host", "its host name is not known"),
    ("Name or service not known", "its host name is not known"),
    ("timeout expired", "no answer in time"),
    ("Connection refused", "no server listens there"),
    ("No route to host", "there is no route to its host"),
    ("Network is unreachable", "its network is unreachable"),
    ("No such file or directory", "no server's socket is there"),
    ("password authentication failed", "the server did not accept the password"),
    ("no password supplied", "the server asks for a password and none is set (see ~/.pgpass)"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf does not admit this user from here"),
    ("Peer authentication failed", "the server wants the operating system's user of that name"),
    ("root certificate file", "TLS is required, and there is no root certificate to verify it by"),
    ("certificate verify failed", "the server's TLS certificate is not signed by a root that is trusted"),
    ("server certificate for", "the server's TLS certificate is for another host name"),
    ("does not support SSL", "TLS is required, and the server does not offer it"),
    ("SSL error", "TLS could not be agreed on"),
    ("too many clients", "the server has no connection left"),
    ("remaining connection slots", "the server has no connection left"),
    ("is starting up", "the server is starting; try again in a moment"),
    ("is shutting down", "the server is shutting down"),
    ("in recovery mode", "the server is recovering; try again in a moment"),
    ("server closed the connection", "the server closed the connection"),
)


def reason_not_connected(said: str) -> str:
    """Our words for libpq's sentence about a failed connection."""
    for part, reason in _REASONS:
        if part in said:
            return reason
    if "does not exist" in said:
        return "the user does not exist" if 'role "' in said else "the database does not exist"
    return "libpq gave a reason that is not known here"
