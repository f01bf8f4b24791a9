"""Remove the password from an MLflow server's address, and limit the time to wait for the server's answers."""

import os
from urllib.parse import unquote

USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"


def is_server(uri: str) -> bool:
    """Return whether the store is an MLflow server."""
    return uri.startswith(("http://", "https://"))


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
