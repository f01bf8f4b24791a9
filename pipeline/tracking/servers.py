"""An MLflow server: its address without a password, and how long to wait for its answers."""

import os
from urllib.parse import unquote

USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"


def is_server(uri: str) -> bool:
    """Whether the store is an MLflow server."""
    return uri.startswith(("http://", "https://"))


def without_credentials(uri: str) -> str:
    """Return a server's address without user and password, which move to MLflow's environment variables.

    A database's address stays as it is, because its driver reads them there.
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
    """Return environment variables with which MLflow's client gives up after these seconds: two tries and a pause."""
    return {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, seconds // 2 - 1)),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    }
