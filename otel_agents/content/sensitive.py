"""Know which keys hide secrets and find such pairs in text; must not know the values' types or who asks."""

from __future__ import annotations

import re

REDACTED = "[redacted]"
BACKSLASH = "\\"

# Found anywhere in the key once punctuation and case are gone: `X-Api-Key`, `dbPassword2`, `PROXY_AUTHORIZATION`.
_STEMS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "credential",
    "authorization",
    "sessionid",
    "sessionkey",
    "connectionstring",
)
# Found at its end: `mysecret`, `authtoken`, `setcookie`.
_ENDINGS = ("secret", "secrets", "token", "cookie", "cookies")
# Found as a word of it: `secret_value`, `auth`, `smtp-pass`; as a part they would hit `author` or `compass`.
_WORDS = frozenset(
    {"secret", "secrets", "cookie", "cookies", "session", "sessions", "auth", "bearer", "jwt", "pass", "pwd"}
    | {"otp", "cvv", "ssn", "csrf", "xsrf"}
)
# What follows `token` where tokens are counted, not kept secret: `token_count`, `prompt_tokens_details`.
_COUNTING = frozenset(
    {"count", "counts", "usage", "limit", "limits", "budget", "details", "length", "cost", "costs", "price", "rate"}
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PUNCTUATION = re.compile(r"[^a-z0-9]+")
_NUMBER = re.compile(r"-?[0-9][0-9.,_]*")


def is_sensitive(key: str, *, number: bool = False) -> bool:
    """Say whether the value under this key is to be redacted.

    Args:
        key: The name of a field, header, variable or argument, in any case style.
        number: Whether the value is a number. `tokens` counts when it is one, and holds secrets when it is not.
    """
    compact = _PUNCTUATION.sub("", key.lower())
    if any(stem in compact for stem in _STEMS):
        return True
    words = [word.lower() for word in _WORD.findall(key)]
    if any(word in _WORDS for word in words):
        return True
    if "token" in words or "tokens" in words:
        return _is_secret_token(words, number=number)
    return compact.endswith(_ENDINGS)


def _is_secret_token(words: list[str], *, number: bool) -> bool:
    at = words.index("token" if "token" in words else "tokens")
    if at + 1 < len(words) and words[at + 1] in _COUNTING:
        return False
    return not (number and words[at] == "tokens")


# A key's telling part, what is left of the key, and the separator: `token=`, `"api_key": `, `\"pwd\": `, `<secret>`.
_KEY = re.compile(
    r"""(?:pass|pwd|secret|token|(?:api|access|private|signing|encryption)[ ._-]?key
        |credential|auth|cookie|session|bearer|jwt|otp|cvv|ssn|csrf|xsrf|connection[ ._-]?string)
    [\w.-]{0,64}
    (?P<separator>\\*+["']?\s{0,8}(?:=>|[:=>])\s{0,8} | (?P<pair>\\*+["']),\s{0,8})""",
    re.IGNORECASE | re.VERBOSE,
)
# Quoted, quoted inside a quoted text, opening a structure (then all that follows goes, for its end cannot be told),
# a scheme with its secret, or bare.
_VALUE = re.compile(
    r"""\[redacted\]
      | b?"(?:[^"\\]|\\.)*+"?
      | b?'(?:[^'\\]|\\.)*+'?
      | \\+["'](?:(?!\\+["']).)*+
      | [\[{(].*
      | (?:basic|bearer|digest|negotiate|token)\s[^\r\n"']*
      | [^\s,;&<"'\\]+""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_HEADER = re.compile(r"((?:set-)?cookie|(?:proxy-)?authorization)(\s{0,8}:\s{0,8})([^\r\n\"']+)", re.IGNORECASE)
_KEY_BEFORE = re.compile(r"[\w.-]*\Z")
# What stands before the first of two in brackets: `["token", "..."]`, `(b'cookie', b'...')`.
_PAIR_BEFORE = re.compile(r"""[\[(]\s{0,8}b?\\*+["']\Z""")
# Secrets that show by their own form, wherever they stand.
_FORMS = re.compile(
    r"""-----BEGIN[ ][A-Z ]{0,32}PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]{0,32}-----|\Z)
      | \bbearer\s+[\w.~+/=-]{8,}
      | \b(?:sk|pk|rk)[-_][\w-]{16,}
      | \bgh[opsur]_\w{16,}
      | \bgithub_pat_\w{16,}
      | \bxox[abeoprs]-[\w-]{8,}
      | \bA[KS]IA[0-9A-Z]{16}
      | \bAIza[\w-]{35}
      | \bglpat-[\w-]{16,}
      | \b(?:hf|gsk)_[a-z0-9]{30,}
      | \beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?
      | (?<=://)[^\s/:@]{0,128}:[^\s/@]{1,256}(?=@)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_MAX_KEY = 64
_MAX_BEFORE = 512  # JSON inside JSON doubles the backslashes of a quote each time
# None of the patterns can match a text without one of these; looking for them is much cheaper.
_TELLING = (
    *("pass", "pwd", "secret", "token", "key", "credential", "auth", "cookie", "session", "bearer", "jwt", "otp"),
    *("cvv", "ssn", "csrf", "xsrf", "string", "sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "gh", "xox", "akia", "eyj"),
    *("asia", "aiza", "glpat", "hf_", "gsk_"),
    "://",
)


def redact_text(text: str) -> str:
    """Return the text with the values of sensitive keys and well-known forms of secrets replaced.

    It sees `key: value`, `key=value`, `<key>value`, JSON and JSON inside JSON. Prose is not understood.
    """
    lower = text.lower()
    if not any(part in lower for part in _TELLING):
        return text
    text = _HEADER.sub(rf"\1\2{REDACTED}", text)
    return _FORMS.sub(REDACTED, _redact_pairs(text))


def _redact_pairs(text: str) -> str:
    # Not `re.sub`: a value is looked for only behind a key that is sensitive, so that nothing else is skipped over.
    done: list[str] = []
    at = 0
    while (key := _KEY.search(text, at)) is not None:
        value = _VALUE.match(text, key.end())
        done.append(text[at : key.end()])
        at = key.end()
        if value is not None and _is_secret(text, key, value[0]):
            done.append(_requote(value[0]))
            at = value.end()
    return "".join((*done, text[at:]))


def _is_secret(text: str, key: re.Match[str], value: str) -> bool:
    start = key.start()
    before = _KEY_BEFORE.search(text, max(0, start - _MAX_KEY), start)
    start -= len(before[0]) if before else 0
    if key["pair"] and not _PAIR_BEFORE.search(text, max(0, start - _MAX_BEFORE), start):
        return False
    return is_sensitive(text[start : key.start("separator")], number=_NUMBER.fullmatch(value) is not None)


def _requote(value: str) -> str:
    """Keep the quotes, so that what was JSON stays JSON; an escaped closing quote was not taken in the first place."""
    bare = value.lstrip("b\\")
    quote = value[: len(value) - len(bare) + 1] if bare[:1] in {'"', "'"} else ""
    return f"{quote}{REDACTED}{'' if quote.startswith(BACKSLASH) else quote[-1:]}"
