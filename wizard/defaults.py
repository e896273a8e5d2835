"""Constants that the command line shows. Imports nothing."""

LIBRECHAT_PORT = 3080
SECONDS_TO_SIGN_IN = 600.0

FORMATS = ("env", "compose", "kubernetes", "json")
# Modules of `wizard.tunnels`, in the order in which they are offered.
TUNNELS = ("ngrok", "local", "caddy", "tailscale", "devtunnel", "cloudflared", "localtunnel")

ENGLISH = "en"
# All but English have a catalogue in `wizard/locale`.
LANGUAGES = (ENGLISH, "nl")
