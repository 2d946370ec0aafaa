"""Certificates for a Collector on loopback, of an authority of their own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tests.need import require_module


def certify(folder: Path, name: str = "127.0.0.1", *, expired: bool = False) -> dict[str, str]:
    """Write a certificate and its key, and return the variables that name them, for the gateway and for agents."""
    trustme = require_module("trustme")
    authority = trustme.CA()
    now = dt.datetime.now(dt.UTC)
    until = now - dt.timedelta(days=1) if expired else now + dt.timedelta(days=1)
    issued = authority.issue_cert(name, not_before=now - dt.timedelta(days=2), not_after=until)
    paths = {each: str(folder / f"{each}.pem") for each in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(paths["ca"])
    issued.cert_chain_pems[0].write_to_path(paths["cert"])
    issued.private_key_pem.write_to_path(paths["key"])
    return {
        "OTELCOL_TLS_CERT": paths["cert"],
        "OTELCOL_TLS_KEY": paths["key"],
        "OTELCOL_GATEWAY_CA": paths["ca"],
        "OTELCOL_TOKEN": "token-of-the-test",
    }
