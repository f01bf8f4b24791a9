"""`make server`: serve MLflow to a team; and the commands that keep such a server (see docs/team-server.md)."""

import argparse
import os
from pathlib import Path

from pipeline.foundations.errors import reported_in_one_line
from pipeline.tracking.server import backup, team_server
from pipeline.tracking.server.server_folder import FOLDER, RIGHTS, ServerFolder
from pipeline.tracking.server.team_server import PORT, WORKERS


def main() -> None:
    """Run the command of the command line."""
    arguments = _parser().parse_args()
    folder = ServerFolder(arguments.folder.absolute())
    match arguments.command:
        case "serve":
            names = [name for name in arguments.allowed_hosts.split(",") if name]
            team_server.serve(folder, arguments.host, arguments.port, names, arguments.workers)
        case "user":
            from pipeline.tracking.server.users import Users  # here, because MLflow takes seconds to import

            users = Users(folder, arguments.port)
            match arguments.action:
                case "add":
                    users.add(arguments.name, arguments.rights)
                case "rights":
                    users.give(arguments.name, arguments.rights)
                case "password":
                    users.renew_password(arguments.name)
                case "remove":
                    users.remove(arguments.name)
        case "backup":
            backup.back_up(folder, arguments.file)
        case "restore":
            backup.restore(folder, arguments.file)
        case "upgrade":
            team_server.upgrade(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m pipeline.tracking.server", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"all that the server keeps; {FOLDER} by default")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve until interrupted")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen at; this machine alone by default")
    serve.add_argument("--port", type=int, default=PORT)
    serve.add_argument("--allowed-hosts", default="", help="names of the server, separated by commas")
    serve.add_argument("--workers", type=int, default=WORKERS, help="processes")
    user = commands.add_parser("user", help="add, change or remove a user of a running server")
    user.add_argument("action", choices=("add", "rights", "password", "remove"))
    user.add_argument("name")
    user.add_argument("rights", nargs="?", choices=RIGHTS, default=RIGHTS[0], help=f"{RIGHTS[0]} by default")
    user.add_argument("--port", type=int, default=PORT)
    for name, about in (("backup", "write everything into one file"), ("restore", "make a folder from such a file")):
        commands.add_parser(name, help=about).add_argument("file", type=Path)
    commands.add_parser("upgrade", help="bring the tables to the installed version of MLflow")
    return parser


if __name__ == "__main__":
    os.umask(0o077)  # everything that a server keeps is for its user alone
    with reported_in_one_line():
        main()
