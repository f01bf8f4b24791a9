"""Ask an MLflow server for an answer, remove the password from its address, and limit the time to wait for it."""

import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
AUTHORITY, OWN_CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"


def is_server(uri: str) -> bool:
    """Return whether the store is an MLflow server."""
    return uri.startswith(("http://", "https://"))


def expect_answer(uri: str, seconds: float) -> None:
    """Check that a server answers, because MLflow's own client retries for minutes.

    MLflow's variables for certificates hold here, too.

    Raises:
        OSError, ValueError or http.client.HTTPException: it does not answer within `seconds`.
    """
    with suppress(urllib.error.HTTPError):  # an error of HTTP is an answer
        address = f"{uri.rstrip('/')}/health"
        urllib.request.urlopen(address, timeout=seconds, context=_certificates(uri)).close()


def _certificates(uri: str) -> ssl.SSLContext | None:
    """Return how to check the server's certificate; None without TLS.

    Raises:
        OSError: a variable names no file of certificates.
    """
    if not uri.startswith("https://"):
        return None
    context = ssl.create_default_context()
    if authority := os.environ.get(AUTHORITY):
        with _naming(AUTHORITY, authority):
            is_folder = Path(authority).is_dir()
            context.load_verify_locations(**{"capath" if is_folder else "cafile": authority})
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if own := os.environ.get(OWN_CERTIFICATE):
        with _naming(OWN_CERTIFICATE, own):
            context.load_cert_chain(own)
    return context


@contextmanager
def _naming(variable: str, value: str) -> Iterator[None]:
    """Name the variable in an error of reading its file."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{variable}: {value}: {error.strerror or error}") from None


def without_credentials(uri: str) -> str:
    """Return a server's address without user and password, and move these to MLflow's environment variables.

    A database's address is returned as it is, because the database's driver reads user and password from it.
    """
    scheme, _, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    credentials, at, host = authority.rpartition("@")
    if not is_server(uri) or not at:
        return uri
    user, colon, password = credentials.partition(":")
    os.environ[USER] = unquote(user)
    if colon:
        os.environ[PASSWORD] = unquote(password)
    return f"{scheme}://{host}{slash}{path}"


def impatience(seconds: int) -> dict[str, str]:
    """Return environment variables that let MLflow's client give up after `seconds`, for two tries and a pause."""
    return {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, seconds // 2 - 1)),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    }
