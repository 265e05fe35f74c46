"""Credential prototypes for tests, and what they are made of."""

from __future__ import annotations

import json
from typing import Any

BANK: dict[str, Any] = {
    "uuid": "0d0f6f7e-3b9c-4a5e-9c52-8a1df1f0b001",
    "code": "ExampleBank",
    "name": {"en": "Example bank", "cs": "Vzorová banka"},
    "description": {"en": "Statements of a made-up bank", "cs": "Výpisy smyšlené banky"},
    "version": "1.0",
    "fields": [
        {
            "keyword": "BANK_TOKEN",
            "type": "password",
            "name": {"en": "Token", "cs": "Token"},
            "description": {"en": "Token for the API", "cs": "Token pro API"},
            "required": True,
        },
        {"keyword": "BANK_ACCOUNT", "type": "string", "name": "Account"},
        {"keyword": "BANK_URL", "type": "url", "name": "Address"},
        {"keyword": "BANK_LIMIT", "type": "integer", "name": "Limit", "default_value": "50"},
    ],
}


def prototype_text(document: dict[str, Any] | None = None, **changes: Any) -> str:
    """Return the JSON text of a prototype, with some members in place of those it has."""
    return json.dumps({**(BANK if document is None else document), **changes})
