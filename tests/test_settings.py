"""Settings and secrets: where they come from, and that secrets stay secret."""

from __future__ import annotations

import base64
import json
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit.mail_settings import mail_names
from audit.secrets import Masked, SecretStore
from audit.settings import (
    ENV_FILE,
    Environment,
    Settings,
    load_settings,
    read_env_file,
    write_env_file,
)
from probes.errors import UserError
from probes.mail.account import Security, Server


def store(**variables: str) -> SecretStore:
    keyring = {("desk", "anna"): "p&ss w<rd"}
    return SecretStore(Environment(variables).get, lambda service, name: keyring.get((service, name)))


def test_home_comes_from_the_argument_then_the_environment_then_here(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"HOLDPROOF_HOME": "/elsewhere"}).home == tmp_path
    assert load_settings(None, {"HOLDPROOF_HOME": str(tmp_path)}).home == tmp_path
    assert load_settings(None, {}).home == Path("holdproof")


def test_each_variable_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://db/x\n")
    settings = load_settings(tmp_path, {"HOLDPROOF_DATABASE_URL_FILE": str(tmp_path / "url")})
    assert settings.database_url == "postgresql://db/x"
    assert load_settings(tmp_path, {"HOLDPROOF_BROWSER": "/usr/bin/chromium"}).browser == Path("/usr/bin/chromium")
    assert load_settings(tmp_path, {}).database_url is None


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"HOLDPROOF_DATABASE_URL": "a", "HOLDPROOF_DATABASE_URL_FILE": "b"}, "both set"),
        ({"HOLDPROOF_DATABASE_URL_FILE": "/nowhere/at/all"}, "cannot be read: No such file"),
    ],
)
def test_a_bad_file_variable_is_explained(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        _ = load_settings(tmp_path, variables).database_url


def test_the_env_file_of_the_home_is_read_and_the_environment_goes_before_it(tmp_path: Path) -> None:
    write_env_file(tmp_path / ENV_FILE, {"HOLDPROOF_TWILIO_ACCOUNT_SID": "AC1", "HOLDPROOF_BROWSER": "/a"})
    assert stat.S_IMODE((tmp_path / ENV_FILE).stat().st_mode) == 0o600
    settings = load_settings(tmp_path, {"HOLDPROOF_BROWSER": "/b"})
    assert settings.carrier("twilio").account_sid == "AC1"
    assert settings.browser == Path("/b")


def test_writing_the_env_file_keeps_what_it_held(tmp_path: Path) -> None:
    write_env_file(tmp_path / ENV_FILE, {"A": "1", "B": "x=y #z"})
    write_env_file(tmp_path / ENV_FILE, {"A": "2"})
    assert read_env_file(tmp_path / ENV_FILE) == {"A": "2", "B": "x=y #z"}


@given(st.dictionaries(st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,9}\Z"), st.text(min_size=1)))
def test_env_files_read_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("home") / ENV_FILE
    try:
        write_env_file(path, values)
    except ValueError:
        assert not path.exists()
    else:
        assert read_env_file(path) == values


def test_an_env_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / ENV_FILE).write_text("A=1\n")
    (tmp_path / ENV_FILE).chmod(0o644)
    with pytest.raises(UserError, match="others may read it") as caught:
        load_settings(tmp_path, {})
    assert caught.value.fix.startswith("run: chmod 600")


def test_a_line_that_is_not_key_value_is_named(tmp_path: Path) -> None:
    path = tmp_path / ENV_FILE
    path.write_text("# fine\n\nA='1'\nnonsense\n")
    path.chmod(0o600)
    with pytest.raises(UserError) as caught:
        read_env_file(path)
    assert caught.value.at == f"{path}:4"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost:1/x", "http://[::1]:2", "https://api.example"])
def test_addresses_that_keep_credentials_safe_are_taken(tmp_path: Path, url: str) -> None:
    assert load_settings(tmp_path, {"HOLDPROOF_TWILIO_BASE_URL": f"{url}/"}).carrier("twilio").base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "http://127.0.0.1.example",
        "ftp://localhost",
        "api.example",
        "https://a:b@c.example",
        "https://x:y",
    ],
)
def test_other_addresses_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="HOLDPROOF_TWILIO_INSIGHTS_BASE_URL"):
        load_settings(tmp_path, {"HOLDPROOF_TWILIO_INSIGHTS_BASE_URL": url}).carrier("twilio")


def test_plain_http_needs_an_explicit_word(tmp_path: Path) -> None:
    variables = {"HOLDPROOF_TWILIO_BASE_URL": "http://exchange.lan", "HOLDPROOF_ALLOW_PLAIN_HTTP": "1"}
    assert load_settings(tmp_path, variables).carrier("twilio").base_url == "http://exchange.lan"


def test_credentials_are_hidden_and_taken_out_of_text(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"HOLDPROOF_TWILIO_AUTH_TOKEN": "s3cr3t-token"})
    carrier = settings.carrier("twilio")
    assert carrier.auth_token == Masked("s3cr3t-token")
    assert "s3cr3t" not in f"{carrier!r} {carrier.auth_token} {carrier.auth_token!r} {settings!r} {settings.secrets!r}"
    assert settings.secrets.scrub("Basic s3cr3t-token") == "Basic ${env:HOLDPROOF_TWILIO_AUTH_TOKEN}"
    with pytest.raises(TypeError):
        pickle.dumps(carrier.auth_token)


def test_twilio_is_configured_by_token_or_by_key(tmp_path: Path) -> None:
    by_token = {"HOLDPROOF_TWILIO_ACCOUNT_SID": "AC1", "HOLDPROOF_TWILIO_AUTH_TOKEN": "s3cr3t-token"}
    config = load_settings(tmp_path, {**by_token, "HOLDPROOF_TWILIO_BASE_URL": "http://127.0.0.1:8"}).twilio()
    assert (config.username, config.password, config.api_base_url) == ("AC1", "s3cr3t-token", "http://127.0.0.1:8")
    by_key = {"HOLDPROOF_TWILIO_API_KEY": "SK1", "HOLDPROOF_TWILIO_API_SECRET": "s3cr3t-key"}
    config = load_settings(tmp_path, {"HOLDPROOF_TWILIO_ACCOUNT_SID": "AC1", **by_key}).twilio()
    assert (config.username, config.password, config.api_base_url) == ("SK1", "s3cr3t-key", "https://api.twilio.com")


@pytest.mark.parametrize(
    ("variables", "missing"),
    [({}, "ACCOUNT_SID"), ({"HOLDPROOF_TWILIO_ACCOUNT_SID": "AC1", "HOLDPROOF_TWILIO_API_KEY": "SK"}, "AUTH_TOKEN")],
)
def test_missing_credentials_are_named(tmp_path: Path, variables: dict[str, str], missing: str) -> None:
    with pytest.raises(UserError, match=f"HOLDPROOF_TWILIO_{missing} is not set"):
        load_settings(tmp_path, variables).twilio()


def test_references_are_revealed_and_scrubbed() -> None:
    secrets = store(PIN="4711", PASSWORD="hunter2!")
    assert secrets.scrub("4711 hunter2!") == "4711 hunter2!"
    assert secrets.reveal("${env:PIN}/${env:PASSWORD}/${keyring:desk/anna}") == "4711/hunter2!/p&ss w<rd"
    assert secrets.scrub("pin=4711, p&amp;ss w&lt;rd") == "pin=${env:PIN}, ${keyring:desk/anna}"


@pytest.mark.parametrize("reference", ["${env:ABSENT}", "${keyring:desk/bob}"])
def test_a_secret_that_is_not_set_is_named_with_the_places_looked_at(reference: str) -> None:
    with pytest.raises(UserError) as caught:
        store().reveal(f"x{reference}")
    assert reference in caught.value.message
    assert "looked at" in caught.value.fix


def test_the_secrets_of_a_plan_are_known_as_far_as_they_are_set() -> None:
    secrets = store(PIN="471147")
    secrets.know("pin: ${env:PIN}, other: ${env:ABSENT}, third: ${keyring:desk/bob}")
    assert list(secrets.revealed().values()) == ["471147"]


SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=12, max_size=40)


@given(SECRETS, st.text(max_size=5), st.text(max_size=5))
@example('quo"te\\back/sl+ash äö🙂', "x", "y")
@example("correct horse battery", "a", "")
def test_no_form_of_a_secret_survives_scrubbing(secret: str, before: str, after: str) -> None:
    secrets = store(S=secret)
    secrets.reveal("${env:S}")
    forms = [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps({"key": secret}, ensure_ascii=False),
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"user:{secret}".encode()).decode(),
        base64.urlsafe_b64encode(f"ab{secret}cd".encode()).decode(),
    ]
    for form in forms:
        assert "${env:S}" in secrets.scrub(f"{before}-{form}-{after}")


@pytest.mark.parametrize(
    "form",
    [
        "a&lt;b&amp;c&#x27;d/e&quot;fghij",
        "a&lt;b&amp;c&#39;d/e&#34;fghij",
        r"a\u003cb\u0026c\u0027d/e\"fghij",
        r"a\u003Cb\u0026c\u0027d/e\"fghij",
        r"a<b&c'd\/e\"fghij",
        "a%3Cb%26c%27d%2Fe%22fghij",
        "a%3cb%26c%27d%2fe%22fghij",
        "a%253Cb%2526c%2527d%252Fe%2522fghij",
    ],
)
def test_a_secret_is_found_as_pages_and_scripts_write_it(form: str) -> None:
    secrets = store(S="a<b&c'd/e\"fghij")
    secrets.reveal("${env:S}")
    assert secrets.scrub(f"x={form};") == "x=${env:S};"


def test_scrubbing_leaves_ordinary_text_alone() -> None:
    secrets = store(SHORT="ab", NUMBER="1234", WORD="open")
    secrets.reveal("${env:SHORT} ${env:NUMBER} ${env:WORD}")
    text = "about 912345 cabs reopened"
    assert secrets.scrub(text) == text
    assert secrets.scrub("key 1234, open") == "key ${env:NUMBER}, ${env:WORD}"


def test_the_longest_secret_wins_where_one_holds_another() -> None:
    secrets = store(A="swordfish", B="swordfish-and-more")
    secrets.reveal("${env:A}${env:B}")
    assert secrets.scrub("swordfish-and-more") == "${env:B}"


def test_importing_the_settings_brings_nothing_heavy() -> None:
    heavy = "numpy pandas sqlalchemy pydantic keyring phonenumbers twilio playwright"
    code = f"import sys, audit.settings; print([name for name in '{heavy}'.split() if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_settings_read_nothing_before_they_are_asked(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "none", Environment({"HOLDPROOF_TWILIO_BASE_URL": "nonsense"}))
    assert settings.browser is None


MAIL = {
    "HOLDPROOF_MAIL_ADDRESS": "robin@customer.example",
    "HOLDPROOF_MAIL_SMTP": "smtps://smtp.customer.example",
    "HOLDPROOF_MAIL_IMAP": "imap://imap.customer.example:1143/",
    "HOLDPROOF_MAIL_PASSWORD": "pass-word-9",
}


def test_a_mailbox_of_the_settings_has_tls_and_hides_its_password(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, MAIL | {"HOLDPROOF_MAIL_ALIASES": "jo@customer.example, @brand.example"})
    account = settings.mail()
    assert account.smtp == Server("smtp.customer.example", 465, Security.TLS)
    assert account.imap == Server("imap.customer.example", 1143, Security.STARTTLS)
    assert (account.user, account.password, account.delimiter) == ("robin@customer.example", "pass-word-9", "+")
    assert "pass-word-9" not in f"{account!r} {account} {settings!r}"
    assert settings.secrets.scrub("It is pass-word-9.") == "It is ${env:HOLDPROOF_MAIL_PASSWORD}."
    for address in ("Robin+hp-1@customer.example", "jo@customer.example", "any.body+x@brand.example"):
        assert account.receives(address)
    for address in ("robin@other.example", "jon@customer.example", "brand.example", "x@sub.brand.example", ""):
        assert not account.receives(address)


def test_mailboxes_with_names_stand_beside_each_other(tmp_path: Path) -> None:
    named = {key.replace("MAIL_", "MAIL_NORTH_WEST_"): value for key, value in MAIL.items()}
    settings = load_settings(tmp_path, MAIL | named | {"HOLDPROOF_MAIL_NORTH_WEST_ADDRESS": "nw@customer.example"})
    assert settings.mail().address == "robin@customer.example"
    assert settings.mail("north-west").address == "nw@customer.example"
    assert mail_names(settings.environment) == ("", "north-west")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ADDRESS": ""}, "HOLDPROOF_MAIL_ADDRESS is not set"),
        ({"ADDRESS": "Robin <robin@customer.example>"}, "is no mail address"),
        ({"SMTP": ""}, "HOLDPROOF_MAIL_SMTP is not set"),
        ({"SMTP": "smtp.customer.example"}, "is no address of a mail server"),
        ({"SMTP": "imaps://smtp.customer.example"}, "is no address of a mail server"),
        ({"SMTP": "smtps://robin:secret@smtp.customer.example"}, "is no address of a mail server"),
        ({"SMTP": "smtps://smtp.customer.example:99999"}, "is no address of a mail server"),
        ({"IMAP": "imap+plain://imap.customer.example"}, "in clear to imap.customer.example"),
        ({"PASSWORD": ""}, "needs a password or a token"),
        ({"PASSWORD": "", "TOKEN_URL": "https://login.example/token"}, "CLIENT_ID is not"),
        ({"TOKEN_URL": "http://login.example/token", "CLIENT_ID": "x"}, "TOKEN_URL is"),
        ({"ALIASES": "jo at customer.example"}, "HOLDPROOF_MAIL_ALIASES holds"),
        ({"DELIMITER": "++"}, "divides no address"),
        ({"SENT": "sometimes"}, 'HOLDPROOF_MAIL_SENT is "sometimes"'),
    ],
)
def test_a_mailbox_that_cannot_be_is_explained(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    variables = MAIL | {f"HOLDPROOF_MAIL_{name}": value for name, value in changes.items()}
    with pytest.raises(UserError, match=words) as caught:
        load_settings(tmp_path, variables).mail()
    assert caught.value.fix


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_plain_mail_is_for_this_machine_or_by_consent(tmp_path: Path, host: str) -> None:
    plain = MAIL | {"HOLDPROOF_MAIL_SMTP": f"smtp+plain://{host}:2525"}
    assert load_settings(tmp_path, plain).mail().smtp.security is Security.PLAIN
    allowed = MAIL | {"HOLDPROOF_MAIL_SMTP": "smtp+plain://relay.lan", "HOLDPROOF_ALLOW_PLAIN_MAIL": "1"}
    assert load_settings(tmp_path, allowed).mail().smtp == Server("relay.lan", 25, Security.PLAIN)
