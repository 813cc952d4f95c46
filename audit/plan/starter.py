"""The plan that a new user starts from, with its schema beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from audit.plan.kinds import slug_of
from audit.plan.reader import parse_plan
from audit.plan.schema import SCHEMA_FILE, plan_schema
from probes.errors import Unavailable, UserError

PLAN_FILE = "plan.yaml"
_AUTHORISED_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the starter plan is filled with; what is not answered is made up and marked for change."""

    vendor: str = "Example vendor"
    url: str = "https://support.vendor.example/"
    place: str = "GB"
    time_zone: str = "Europe/London"
    hours: str = "Mon-Fri 09:00-17:30"
    company: str = "Our company"
    by: str = "name and role of whoever decided this audit"


def starter_text(answers: Answers, today: date) -> str:
    """Return the starter plan.

    Raises:
        PlanFaults: an answer does not fit.
    """
    host = urlsplit(answers.url).hostname or ""
    text = _STARTER.substitute(
        schema=SCHEMA_FILE,
        slug=slug_of(answers.vendor) or "vendor",
        host=host,
        title=json.dumps(f"First look at the support of {answers.vendor}", ensure_ascii=False),
        until=today + timedelta(days=_AUTHORISED_DAYS),
        today=today,
        **{name: json.dumps(getattr(answers, name), ensure_ascii=False) for name in Answers.__slots__},
    )
    parse_plan(text, PLAN_FILE)
    return text


def write_starter(directory: Path, answers: Answers | None = None, today: date | None = None) -> Path:
    """Write the starter plan and its schema into a folder, and return where the plan is.

    Raises:
        UserError: there is a plan already, or an answer does not fit.
        Unavailable: the folder cannot be written.
    """
    plan = directory / PLAN_FILE
    text = starter_text(answers or Answers(), today or datetime.now(UTC).date())
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with plan.open("x", encoding="utf-8") as file:
            file.write(text)
        (directory / SCHEMA_FILE).write_text(json.dumps(plan_schema(), indent=1) + "\n", encoding="utf-8")
    except FileExistsError as exc:
        raise UserError(f"there is a plan already: {plan}", fix="name another folder, or remove it") from exc
    except OSError as exc:
        raise Unavailable(f"{directory} cannot be written: {exc.strerror or exc}", fix="name another folder") from exc
    return plan


_STARTER = Template("""\
# yaml-language-server: $$schema=$schema
#
# What to find out, from whom, as whom, how often, within which limits.
# Every line marked CHANGE is made up. Nothing is contacted before you say: holdproof run plan.yaml
# See what would happen with: holdproof check plan.yaml

holdproof: 1
name: $title

# Without this record nothing is contacted.
# basis: own_account, prospective_customer, contract_audit, regulator, own_system or practice
authorisation:
  basis: prospective_customer
  by: $by # CHANGE
  until: $until # the last day, where the vendor is

vendors:
  - id: $slug
    name: $vendor
    place: $place # CHANGE: country or subdivision (GB, DE-BY), for public holidays
    time_zone: $time_zone # CHANGE
    hours: $hours # CHANGE: when it says that it can be reached; "always" if always
    channels:
      portal:
        kind: web_ticket
        url: $url # CHANGE
        # Steps as a customer takes them. Elements are named by their labels on the page.
        # A login, if there is one, comes first: login: [{goto: …}, {fill: {…}}, {click: …}]
        open:
          - goto: /new # CHANGE
          - fill:
              Your name: "{persona.name}"
              Your email: "{persona.email}"
              Subject: "{problem.subject}"
              Message: "{problem.body}"
          - click: Send
          # The number of the ticket, from the page that comes after sending.
          - read: {name: ticket, at: page, regex: "(?i)ticket\\\\s+#?(\\\\w+)"}
        # How to come back to the ticket, and what to read there. Selectors are CSS.
        look:
          url: /tickets/{ticket} # CHANGE
          status: {at: css=.status}
          messages: {items: .message, text: .text, author: .author, time: .time}
      # The telephone. Needs credentials of a carrier (holdproof doctor says which); every second is recorded
      # unless record is never. Ask which law applies where you and the vendor are.
      # phone:
      #   kind: phone_call
      #   number: "+442079460123" # CHANGE
      #   caller_id: "+442079460999" # CHANGE: a number that the carrier has given you
      #   record: announce # always, announce or never
      #   announcement: This call is recorded to measure the quality of service.
      #   price_per_minute: 0.02 # the dearest that the carrier may charge for a minute
      #   currency: EUR
      #   scripts:
      #     ask:
      #       - wait: 4 s
      #       - press: "2"
      #       - say: Hello. I am calling about my ticket. The reference is {reference}.
      #       - listen: 20 min
      #       - hang_up: true
      #     # This one reacts to what it hears (docs/call-scripts.md): with holdproof run --public-url, or over SIP.
      #     react:
      #       - wait_for: prompt
      #       - press: "2"
      #       - wait_for: {sound: human, ask: "Hello, am I speaking to a person?"}
      #         as: agent
      #       - if: {agent: [human, unsure]}
      #         then:
      #           - say: I am calling about my ticket. The reference is {reference}.
      #           - wait_for: {sound: answer, at_most: 5 min}
      # Support by mail. Needs a mailbox: HOLDPROOF_MAIL_ADDRESS, …_SMTP, …_IMAP and …_PASSWORD (holdproof doctor
      # says what is missing). Every case has its own sub-address, as robin+hp-7k3q9xmd@customer.example.
      # mail:
      #   kind: email_ticket
      #   to: support@$host # CHANGE
      #   addresses: ["@$host"] # where its answers may ask for replies
    # What the vendor promises in public or by contract. Each is held against what happens.
    # what: receipt, first_human_response, update, resolution, call_answered, human_on_call or callback
    promises: []
    #  - id: first-answer
    #    what: first_human_response
    #    within: 4 h
    #    clock: business # business counts opening hours only; wall counts all
    #    text: We answer within four working hours.
    #    source: https://$host/
    #    seen_on: $today

# As whom. Numbers that identify are secrets: keep them in the environment, as pin: $${env:OUR_PIN}
personas:
  - id: us
    name: Robin Example # CHANGE
    email: robin@customer.example # CHANGE
    account: $company

# What about. {reference} is our own short code for the case; it is how we find the ticket again.
scenarios:
  - id: wrong-address
    problem:
      subject: Wrong address on our invoice ({reference}) # CHANGE
      body: |
        Our last invoice shows an address that we left in spring.
        Please tell us how it can be changed, and send a corrected invoice.
        Our reference is {reference}.
    steps:
      - open: portal
      - wait: {at_most: 5 days, until: resolved}
      # - call: {channel: phone, script: ask}
      #   when: unresolved

# How many cases. From 6 for each vendor on, the report gives intervals.
samples:
  - {scenario: wrong-address, n: 1}

limits:
  audit_at_most: 14 days
  tickets: 5
  calls: 0 # no call is placed while this is 0
  calls_per_day: 2
  call_minutes: 60
  # money: {amount: 20, currency: EUR}
""")
