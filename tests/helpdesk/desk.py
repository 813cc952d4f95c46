"""Runs django-helpdesk on loopback, and acts as its staff through its own models.

python -m tests.helpdesk.desk --dir DIR [--port 0]                     serves until stopped, prints its address
python -m tests.helpdesk.desk --dir DIR answer support-1 "We look into it."
python -m tests.helpdesk.desk --dir DIR resolve support-1 "It works again."
python -m tests.helpdesk.desk --dir DIR list                           the tickets, as JSON
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

TIME_ZONE = "Europe/London"
AGENT = "dana"


def settings_for(directory: Path) -> dict[str, Any]:
    """What a Django project needs around the help desk; its wheel brings none."""
    contrib = ("admin", "auth", "contenttypes", "sessions", "sites", "messages", "staticfiles", "humanize")
    return {
        "SECRET_KEY": "only-on-loopback",
        "DEBUG": True,  # so that the development server hands out the desk's styles
        "ALLOWED_HOSTS": ["127.0.0.1", "localhost"],
        "ROOT_URLCONF": "tests.helpdesk.urls",
        "INSTALLED_APPS": [f"django.contrib.{name}" for name in contrib] + ["rest_framework", "helpdesk"],
        "MIDDLEWARE": [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": directory / "desk.sqlite",
                "OPTIONS": {"timeout": 20},
            }
        },
        "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "EMAIL_FILE_PATH": directory / "mail",
        "MEDIA_ROOT": directory / "media",
        "STATIC_URL": "/static/",
        "SITE_ID": 1,
        "USE_TZ": True,
        "TIME_ZONE": TIME_ZONE,
        "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
        "HELPDESK_PUBLIC_TICKET_QUEUE": "support",
        "HELPDESK_TEAMS_MODE_ENABLED": False,
    }


def set_up(directory: Path) -> None:
    """Make the desk ready in a folder: tables, mail templates, one queue, one agent."""
    import django
    from django.conf import settings

    directory.mkdir(parents=True, exist_ok=True)
    settings.configure(**settings_for(directory.resolve()))
    django.setup()
    if (directory / "desk.sqlite").exists():
        return
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from helpdesk.models import Queue

    call_command("migrate", verbosity=0)
    call_command("loaddata", "emailtemplate.json", verbosity=0)
    Queue.objects.create(
        title="Support", slug="support", email_address="support@desk.example", allow_public_submission=True
    )
    get_user_model().objects.create_superuser(AGENT, "dana@desk.example", "only-on-loopback")


def serve(port: int) -> None:
    """Serve until the process is ended; prints the address first."""
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.wsgi import get_wsgi_application

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    application = StaticFilesHandler(get_wsgi_application())
    with make_server("127.0.0.1", port, application, server_class=Server, handler_class=Quiet) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)  # noqa: T201
        server.serve_forever()


def update(ticket_name: str, comment: str, *, resolve: bool) -> None:
    """Write to the customer as the agent; with `resolve` the ticket is resolved by that."""
    from django.contrib.auth import get_user_model
    from helpdesk.models import Ticket
    from helpdesk.update_ticket import update_ticket

    ticket = Ticket.objects.get(pk=int(ticket_name.rpartition("-")[2]))
    agent = get_user_model().objects.get(username=AGENT)
    status = Ticket.RESOLVED_STATUS if resolve else ticket.status
    update_ticket(agent, ticket, comment=comment, public=True, new_status=status)


def listed() -> list[dict[str, Any]]:
    """Every ticket as the desk has it, with its public history."""
    from helpdesk.models import Ticket

    return [
        {
            "ticket": ticket.ticket_for_url,
            "title": ticket.title,
            "description": ticket.description,
            "submitter": ticket.submitter_email,
            "status": ticket.get_status,
            "created_utc": ticket.created.isoformat(),
            "history": [
                {"at_utc": each.date.isoformat(), "by": each.user and each.user.username, "text": each.comment}
                for each in ticket.followup_set.filter(public=True).order_by("date")
            ],
        }
        for ticket in Ticket.objects.order_by("pk")
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    commands = parser.add_subparsers(dest="command")
    for name in ("answer", "resolve"):
        command = commands.add_parser(name)
        command.add_argument("ticket")
        command.add_argument("text")
    commands.add_parser("list")
    arguments = parser.parse_args()
    set_up(arguments.dir)
    if arguments.command in ("answer", "resolve"):
        update(arguments.ticket, arguments.text, resolve=arguments.command == "resolve")
    elif arguments.command == "list":
        print(json.dumps(listed(), indent=2))  # noqa: T201
    else:
        serve(arguments.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
