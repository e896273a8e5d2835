"""Three examples of each command, for its help and docs/cli.md."""

from __future__ import annotations

from wizard.language import Message

# By the command's words: lines to type, and what they do.
EXAMPLES_OF: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("librechat-auth0 init", Message("Set up the LibreChat in this folder")),
        ("librechat-auth0 init --demo", Message("Try it without an Auth0 account")),
        ("librechat-auth0 doctor", Message("Find out why the sign-in fails")),
    ),
    "init": (
        ("librechat-auth0 init", Message("Ask for every value, then write the .env")),
        ("librechat-auth0 init --demo", Message("Try it without an Auth0 account")),
        (
            "librechat-auth0 init --yes --tunnel local",
            Message("Take every value from options and variables, without questions"),
        ),
    ),
    "tunnel": (
        ("librechat-auth0 tunnel", Message("Open the last tunnel again, update the .env")),
        ("librechat-auth0 tunnel --detach", Message("Keep it open in the background")),
        ("librechat-auth0 tunnel --tunnel cloudflared", Message("Use another tunnel")),
    ),
    "tunnel status": (
        ("librechat-auth0 tunnel status", Message("List the background tunnels")),
        ("librechat-auth0 tunnel status --json", Message("The same as JSON")),
        ("librechat-auth0 tunnel status --plain", Message("The same without symbols")),
    ),
    "tunnel stop": (
        ("librechat-auth0 tunnel stop", Message("Close the tunnel of this folder's .env")),
        ("librechat-auth0 tunnel stop --all", Message("Close every tunnel in the background")),
        (
            "librechat-auth0 tunnel stop --env-file ../other/.env",
            Message("Close the tunnel of another .env"),
        ),
    ),
    "doctor": (
        ("librechat-auth0 doctor", Message("Check the .env, Auth0, the tunnel and LibreChat")),
        ("librechat-auth0 doctor --fix", Message("Apply safe fixes after showing a diff")),
        ("librechat-auth0 doctor --offline --json", Message("Check the files only, in CI")),
    ),
    "verify": (
        ("librechat-auth0 verify", Message("Sign in once in your browser")),
        ("librechat-auth0 verify --no-open", Message("Show the link, for another browser")),
        ("librechat-auth0 verify --timeout 60", Message("Wait one minute for the sign-in")),
    ),
    "provision": (
        ("librechat-auth0 provision --dry-run", Message("Show what would change in Auth0")),
        ("librechat-auth0 provision", Message("Create or repair the application and the API")),
        (
            "librechat-auth0 provision --management-token-file token.txt --yes",
            Message("The same without questions, with an API token"),
        ),
    ),
    "trust": (
        ("librechat-auth0 trust", Message("Let browsers accept https://localhost")),
        ("librechat-auth0 trust --dry-run", Message("Show the commands without running them")),
        ("librechat-auth0 trust --remove", Message("Remove the certificate authority")),
    ),
    "explain": (
        ("librechat-auth0 explain LA231", Message("Explain a rule")),
        (
            'librechat-auth0 explain "Callback URL mismatch"',
            Message("Find the rule for an error message"),
        ),
        ("librechat-auth0 explain", Message("List all rules")),
    ),
    "report": (
        ("librechat-auth0 report", Message("Print the report and copy it")),
        ("librechat-auth0 report --offline", Message("Without network access")),
        ("librechat-auth0 report > report.md", Message("Save it in a file")),
    ),
    "schema": (
        ("librechat-auth0 schema", Message("Print the schema")),
        ("librechat-auth0 schema > schema.json", Message("Save it in a file")),
        ("librechat-auth0 schema --json", Message("The same, as one JSON object")),
    ),
    "help": (
        ("librechat-auth0 help", Message("List the commands")),
        ("librechat-auth0 help init", Message("Show the options of a command")),
        ("librechat-auth0 help tunnel stop", Message("Show the options of a subcommand")),
    ),
}
