"""Names and numbers that the command line shows; nothing costly may be imported here."""

LIBRECHAT_PORT = 3080
SECONDS_TO_SIGN_IN = 600.0

# Each is a module in `wizard.tunnels`, in the order in which they are offered.
TUNNELS = ("ngrok", "local", "caddy", "cloudflared", "localtunnel")

ENGLISH = "en"
# Those besides English have a catalogue in `wizard/locale`.
LANGUAGES = (ENGLISH, "nl")
