"""`secrets`: keys, tokens, passwords and private keys."""

from __future__ import annotations

import random
import string

import pytest
from ready_made import build, find, reason_of, redact, stream

from specspan.checks.check import CheckConfigError

SECRETS = build("secrets")
RANDOM = random.Random(7)
WORD = string.ascii_letters + string.digits


def word(length: int, alphabet: str = WORD) -> str:
    """Return random characters: no key of anybody's stands in this file."""
    return "".join(RANDOM.choices(alphabet, k=length))


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("AKIA" + word(16, string.ascii_uppercase), "aws_access_key"),
        ("ghp_" + word(36), "github_token"),
        ("github_" + "pat_" + word(60), "github_token"),
        ("glpat-" + word(20), "gitlab_token"),
        ("sk-" + "ant-" + word(60), "anthropic_api_key"),
        ("sk-" + "proj-" + word(60), "openai_api_key"),
        ("AIza" + word(35), "google_api_key"),
        ("hf_" + word(34), "hugging_face_token"),
        ("sk_" + "live_" + word(24), "stripe_access_key"),
        ("xoxb-" + word(12, string.digits) + "-" + word(24), "slack_token"),
        ("://user:" + word(12) + "@", "basic_auth_credentials"),
    ],
)
def test_tokens_are_found_by_their_form(secret: str, reason: str) -> None:
    """Wherever they stand in a sentence."""
    text = f"Use {secret} there."
    assert (reason_of(SECRETS, text), secret in find(SECRETS, text)) == (reason, True)


@pytest.mark.parametrize(
    "text",
    [
        "password: the one you chose",
        "Your password is required.",
        "api_key = os.environ['API_KEY']",
        "secret=${SECRET_NAME}",
        "token: <your-token-here>",
        "Reset your password: https://example.com/reset/A1b2C3d4",
        "The id is 123e4567-e89b-12d3-a456-426614174000.",
        "BEGIN of the PRIVATE KEY chapter",
    ],
)
def test_talk_about_secrets_is_none(text: str) -> None:
    """Templates, names and ids are no secrets."""
    assert find(SECRETS, text) == []


def test_what_is_called_a_password_is_found_without_its_name() -> None:
    """The evidence is the value alone."""
    assert find(SECRETS, "Log in with password: hunter2hunter!") == ["hunter2hunter!"]


def test_a_private_key_is_redacted_to_its_last_line() -> None:
    """And where it has none, to the end of the text."""
    body = f"{word(64)}\n{word(40)}"
    key = f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{body}\n-----END RSA PRIVATE {'KEY'}-----"
    assert redact(SECRETS, f"Here:\n{key}\nDone.") == "Here:\n[redacted:private_key]\nDone."
    assert redact(SECRETS, f"Here:\n{key[:90]}") == "Here:\n[redacted:private_key]"


def test_a_key_that_may_stand_there_does_not_cut_a_stream() -> None:
    """Neither while it is incomplete, nor after."""
    example = "AKIA" + "IOSFODNN7EXAMPLE"
    check = build("secrets", {"allow": [example]})
    text = f"For instance {example} is no key."
    assert stream(check, *text) == (text, None)
    released, cut = stream(SECRETS, *text)
    assert (cut is not None, example in released) == (True, False)


def test_an_unknown_plugin_is_refused_with_those_that_there_are() -> None:
    """The error says where."""
    with pytest.raises(CheckConfigError, match="unknown plug-in 'NoDetector'") as caught:
        build("secrets", {"plugins": ["AWSKeyDetector", "NoDetector"]})
    assert (caught.value.key, "JwtTokenDetector" in caught.value.remedy) == ("plugins.1", True)


def test_only_the_plugins_that_are_named_look() -> None:
    """A policy can leave out what its answers are full of."""
    check = build("secrets", {"plugins": ["AWSKeyDetector"]})
    assert find(check, "ghp_" + word(36)) == []
