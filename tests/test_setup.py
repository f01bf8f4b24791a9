"""`make setup`: uv gets pip's indexes and certificates, and pip goes on where uv fails."""

import pytest

from pipeline import setup


def test_uv_reads_the_indexes_and_certificates_of_pip() -> None:
    options = {
        "index-url": "https://first/simple",
        "extra-index-url": "https://second/simple\\nhttps://third/simple",
        "find-links": "/wheels /more",
        "cert": "/certificates.pem",
        "quiet": "1",
    }
    assert setup.uv_environment(options) == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://first/simple",
        "UV_INDEX": "https://second/simple https://third/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/certificates.pem",
    }


def test_pip_goes_on_where_uv_cannot_be_installed(tmp_path, capsys) -> None:
    """Both locks name a missing file, so that nothing is downloaded."""
    lock, installer = tmp_path / "requirements.lock", tmp_path / "installer.lock"
    lock.write_text("./missing.whl  # missing==1\n")
    installer.write_text("./missing.whl\n")
    with pytest.raises(SystemExit, match="error: pip: exit code 1"):
        setup.install(lock, installer)
    assert "uv failed (it could not be installed: " in capsys.readouterr().out
