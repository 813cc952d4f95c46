"""django-helpdesk as a desk that is written to: it fetches its mailbox by IMAP and answers by SMTP.

python -m tests.mail.desk --dir DIR --smtp-port N --imap-port N                  fetches mail every second until stopped
python -m tests.mail.desk --dir DIR … fetch                                      fetches mail once
python -m tests.mail.desk --dir DIR … answer support-1 "We look into it."        (also resolve and list)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.helpdesk.desk import AGENT, listed, settings_for, update

ADDRESS = "support@desk.example"


def set_up(directory: Path, smtp_port: int, imap_port: int, password: str) -> None:
    """Make the desk ready in a folder, with a queue that is fed by a mailbox."""
    import django
    from django.conf import settings

    directory.mkdir(parents=True, exist_ok=True)
    mail: dict[str, Any] = {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": smtp_port,
        "EMAIL_HOST_USER": ADDRESS,
        "EMAIL_HOST_PASSWORD": password,
    }
    settings.configure(**(settings_for(directory.resolve()) | mail))
    django.setup()
    if (directory / "desk.sqlite").exists():
        return
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from helpdesk.models import Queue

    call_command("migrate", verbosity=0)
    call_command("loaddata", "emailtemplate.json", verbosity=0)
    Queue.objects.create(
        title="Support",
        slug="support",
        email_address=ADDRESS,
        allow_email_submission=True,
        email_box_type="imap",
        email_box_host="127.0.0.1",
        email_box_port=imap_port,
        email_box_user=ADDRESS,
        email_box_pass=password,
        email_box_imap_folder="INBOX",
        email_box_interval=0,
    )
    get_user_model().objects.create_superuser(AGENT, "dana@desk.example", "only-on-loopback")


def fetch() -> None:
    """Make tickets of what lies in the mailbox, and send receipts."""
    from helpdesk.email import process_email

    process_email(quiet=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--imap-port", type=int, required=True)
    parser.add_argument("--password", default="only-on-loopback")
    commands = parser.add_subparsers(dest="command")
    for name in ("answer", "resolve"):
        command = commands.add_parser(name)
        command.add_argument("ticket")
        command.add_argument("text")
    commands.add_parser("list")
    commands.add_parser("fetch")
    arguments = parser.parse_args()
    set_up(arguments.dir, arguments.smtp_port, arguments.imap_port, arguments.password)
    if arguments.command in ("answer", "resolve"):
        update(arguments.ticket, arguments.text, resolve=arguments.command == "resolve")
    elif arguments.command == "list":
        print(json.dumps(listed(), indent=2))  # noqa: T201
    elif arguments.command == "fetch":
        fetch()
    else:
        print("ready", flush=True)  # noqa: T201
        while True:
            fetch()
            time.sleep(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
