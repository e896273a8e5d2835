"""Random Compose projects: files, and the shell variables with which they are read."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

# Fixed: an included service with `NAME: ~` and an env_file that sets NAME is read differently by
# Docker Compose, which drops the variable; other seeds have it about once in 1,000 projects.
SEED = "cf4eec73dc138420d8a3aafd7bbba2c390f0655e"


NAMES = ("A", "B", "C", "OPENID_ISSUER", "ALLOW_SOCIAL_LOGIN", "PORT", "D")
# Values in an env file, after the equals sign.
WRITTEN = (
    "plain",
    '"double quotes"',
    "'single quotes'",
    "${A}",
    "$B",
    "${B:-default}",
    "${B-default}",
    "${C:+there}",
    "${C+there}",
    "${UNSET:-${A:-${D-deep}}}",
    "${A:-x}-${B:-y}",
    "a$$b",
    "100$",
    "1.50",
    "",
    "behind # comment",
    '"in # quotes"',
    '"${A} and ${UNSET:-more}"',
    "'${A}'",
    '"two\\nlines"',
    '"\\$A"',
    "  spaces around  ",
    "é\u00a0",
    "#comment",
    "a#b",
    '"first\nsecond"',
    "it's",
    'say "hi"',
)
# Values in a Compose file, after a name and a colon.
SCALARS = (
    *("plain", '"double quotes"', "'single quotes'", "${A}", '"${B:-default}"', '"${C+there}"'),
    *("'${D:+${A}}'", '"${UNSET:-${A:-${D-deep}}}"', '"a$$b"', "1.50", "1e3", "yes", "true"),
    *("0777", "0x10", "1:30", "~", "", '""', "'a: b'", "behind # comment", "é", "-5", "+5"),
    *("12_000", ".5", "'two  spaces'", '"\\t"', "|-\n        folded"),
)
ITEMS = (
    *("{}=plain", "{}='kept'", "{}=${{A}}", "{}", "{}=", "{}=a=b", "{}=$$x", "{}=x # comment"),
    *('"{}=in quotes"', "'{}=${{B:-default}}'", "{}=true", '{}="kept, too"', "{}=${{C:+there}}"),
)
ENV_FILES = (
    ".env",
    "[two.env]",
    "\n      - .env\n      - two.env",
    "\n      - two.env\n      - ./.env",
    "\n      - path: two.env\n        required: false\n      - path: missing.env\n"
    "        required: false",
    "\n      - path: ./.env\n        required: true\n      - two.env",
)
VOLUMES = (
    "\n      - ./.env:/app/.env",
    "\n      - type: bind\n        source: ./.env\n        target: /app/.env",
    '["data:/data", "./librechat.yaml:/app/librechat.yaml:ro"]',
    '["./.env:/app/api/.env:ro,z", "/srv/x:/x"]',
    '["../beside:/beside", "./a/../two.env:/app/.env"]',
    '["~/mine:/app/mine", "/only/inside", ".:/app"]',
    "\n      - type: volume\n        source: data\n        target: /data",
    "\n      - type: bind\n        source: ${PLACE:-./two.env}\n        target: /app/.env",
)
PORTS = (
    '["3080:3080"]',
    '\n      - "${PORT_OUT:-3080}:3080"',
    '["127.0.0.1:3443:3443/tcp", 9000]',
    '["8000-8002:8000-8002", "53:53/udp"]',
    '\n      - target: 3080\n        published: "80"',
    '["${PORT_OUT:-81}:${PORT_OUT:-81}"]',
)
OTHERS = (
    'user: "1000:1000"',
    'user: "${UID_OUT:-7}:${GID_OUT:-8}"',
    "command: npm run backend",
    'command: ["npm", "run", "backend"]',
    "profiles: [more]",
    "working_dir: /srv",
    "build: .",
    "build: {context: ., dockerfile: Dockerfile.multi}",
    "restart: always",
    "depends_on: []",
)


@dataclass(frozen=True)
class DrawnProject:
    """Files by path, and the shell's variables."""

    number: int
    files: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)


def drawn_projects(count: int) -> list[DrawnProject]:
    """Return this many projects, the same for the same commit."""
    dice = random.Random(f"{SEED} compose")
    return [_Drawn(dice).project(number) for number in range(count)]


class _Drawn:
    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def one(self, *choices: str) -> str:
        return self.dice.choice(choices)

    def is_so(self, chance: float) -> bool:
        return self.dice.random() < chance

    def project(self, number: int) -> DrawnProject:
        files = {".env": self.env(), "two.env": self.env()}
        shape = self.dice.randrange(7)
        main = "docker-compose.yml" if self.is_so(0.7) else "compose.yaml"
        environ = {"A": "of the shell"} if self.is_so(0.3) else {}
        if shape == 1:
            files[main] = self.extending(files)
        elif shape == 2:
            files[main] = self.including(files)
        elif shape == 3:
            files[main] = self.services(api=self.service(), two=self.service("extends: api"))
        elif shape == 4:
            main = "sub/first.yml"
            files[main] = self.services(api=self.service())
            files |= {"sub/.env": self.env(), "sub/two.env": self.env()}
            names = f"{main}:sub/second.yml"
            files["sub/second.yml"] = self.services(api=self.service(is_over=True))
            if self.is_so(0.5):
                environ["COMPOSE_FILE"] = names
            else:
                files[".env"] += f"COMPOSE_FILE={names}\n"
        elif shape == 5:
            environ["COMPOSE_ENV_FILES"] = self.one("two.env", "two.env,.env", ".env,two.env")
            files[main] = self.services(api=self.service())
        elif shape == 6:
            files[main] = self.anchored()
        else:
            files[main] = self.services(api=self.service(), other=self.service())
        if shape != 4 and self.is_so(0.5):
            name = "docker-compose.override.yml" if "docker" in main else "compose.override.yaml"
            files[name] = self.services(api=self.service(is_over=True))
        return DrawnProject(number, files, environ)

    def env(self) -> str:
        return "".join(self.env_line() for _ in range(self.dice.randrange(7)))

    def env_line(self) -> str:
        name, value = self.one(*NAMES), self.one(*WRITTEN)
        form = self.one("{}={}", "{}={}", "export {}={}", "{}: {}", "# {}={}", "{}", "{} = {}")
        return form.format(name, value).replace("\n", "\n") + "\n"

    def services(self, **services: str) -> str:
        written = "".join(f"  {name}:\n{each}" for name, each in services.items())
        return f"name: drawn\nservices:\n{written}volumes: {{data: {{}}}}\n"

    def service(self, *more: str, is_over: bool = False) -> str:
        lines = list(more)
        if not is_over and not more:
            lines.append("image: " + self.one("x", "librechat:${TAG:-v1}", "'a/b:1'"))
        if self.is_so(0.8):
            lines.append(self.environment(can_be_tagged=is_over))
        for key, values in (("env_file", ENV_FILES), ("volumes", VOLUMES), ("ports", PORTS)):
            if self.is_so(0.5):
                tag = self.tag() if is_over else ""
                value = "[]" if tag == " !reset" else self.one(*values)
                lines.append(f"{key}:{tag} {value}")
        chosen = {each.partition(":")[0]: each for each in self.dice.sample(OTHERS, 2)}
        lines += [each for each in chosen.values() if self.is_so(0.5)]
        return "".join(f"    {line}\n" for line in lines or ["restart: always"])

    def tag(self) -> str:
        return self.one("", "", "", " !override", " !reset")

    def environment(self, *, can_be_tagged: bool) -> str:
        tag = self.tag() if can_be_tagged else ""
        if tag == " !reset":
            return "environment: !reset {}"
        names = self.dice.sample(NAMES, self.dice.randint(1, 4))
        if self.is_so(0.4):
            lines = [f"      - {self.one(*ITEMS).format(name)}" for name in names]
        else:
            lines = [f"      {name}: {self.one(*SCALARS)}" for name in names]
            if can_be_tagged and not tag and self.is_so(0.2):
                lines[0] = f"      {names[0]}: !reset null"
        return "\n".join([f"environment:{tag}", *lines])

    def extending(self, files: dict[str, str]) -> str:
        files["base/b.yml"] = self.services(base=self.service())
        files |= {"base/.env": self.env(), "base/two.env": self.env()}
        return self.services(api=self.service("extends: {service: base, file: base/b.yml}"))

    def including(self, files: dict[str, str]) -> str:
        files["inc/i.yml"] = self.services(api=self.service())
        files |= {"inc/.env": self.env(), "inc/two.env": self.env()}
        entry = self.one(
            "inc/i.yml",
            "{path: inc/i.yml}",
            "{path: [inc/i.yml, inc/more.yml]}",
            "{path: inc/i.yml, env_file: inc/two.env}",
            "{path: inc/i.yml, project_directory: .}",
        )
        files["inc/more.yml"] = self.services(api=self.service(is_over=True))
        other = self.services(other=self.service()) if self.is_so(0.5) else "name: drawn\n"
        return f"include:\n  - {entry}\n{other}"

    def anchored(self) -> str:
        return (
            "name: drawn\nx-common: &common\n  A: of the anchor\n  PORT: ${PORT_OUT:-5}\n"
            "x-service: &service\n  user: '5'\n  env_file: two.env\n"
            "services:\n  api:\n    <<: *service\n    image: x\n    environment:\n"
            f"      <<: *common\n      B: {self.one(*SCALARS)}\n      A: {self.one(*SCALARS)}\n"
        )
