#!/usr/bin/env python3
"""A stand-in for the AWS command line: keeps one function with its settings in the folder `lambda`, where the stand-in for
Lambda finds them, and takes no other options than the real one."""

import argparse
import json
import os
import pathlib
import zipfile

FOLDER = pathlib.Path(__file__).parent.parent / "lambda"
SETTINGS = FOLDER / "function.json"


def variables(text):
    """The shorthand `Variables={NAME=VALUE,…}`."""
    inner = text.removeprefix("Variables={").removesuffix("}")
    assert f"Variables={{{inner}}}" == text, f"no shorthand for variables: {text}"
    return dict(pair.split("=", 1) for pair in inner.split(","))


def options():
    parser = argparse.ArgumentParser(prog="aws", allow_abbrev=False)
    parser.add_argument("service", choices=["lambda"])
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, *needed):
        one = commands.add_parser(name, allow_abbrev=False)
        for option in ("--function-name", *needed):
            one.add_argument(option, required=True)
        return one

    create = command("create-function", "--role", "--zip-file", "--runtime", "--handler")
    create.add_argument("--timeout", type=int, default=3)
    create.add_argument("--environment", type=variables, default={})
    command("update-function-configuration").add_argument("--environment", type=variables)
    url = command("create-function-url-config", "--auth-type")
    url.add_argument("--query")
    url.add_argument("--output")
    allow = command("add-permission", "--statement-id", "--principal", "--action")
    allow.add_argument("--function-url-auth-type", choices=["NONE", "AWS_IAM"])
    allow.add_argument("--invoked-via-function-url", action="store_true")
    return parser.parse_args()


def main():
    given = options()
    kept = json.loads(SETTINGS.read_text()) if SETTINGS.exists() else {}
    assert given.command == "create-function" or kept["name"] == given.function_name, "no such function"
    if given.command == "create-function":
        assert not kept, "the function exists"
        FOLDER.mkdir()
        zipfile.ZipFile(given.zip_file.removeprefix("fileb://")).extractall(FOLDER)
        kept = {"name": given.function_name, "runtime": given.runtime, "handler": given.handler}
        kept |= {"timeout": given.timeout, "environment": given.environment, "permissions": []}
    elif given.command == "update-function-configuration":
        kept["environment"] = given.environment
    elif given.command == "add-permission":
        assert given.principal == "*"
        kept["permissions"].append(given.action)
    else:
        assert (given.auth_type, given.query, given.output) == ("NONE", "FunctionUrl", "text")
        print(os.environ["STAND_IN_FOR_LAMBDA"])
    SETTINGS.write_text(json.dumps(kept))


main()
