"""The last touch on each built page: what makes it live, and a policy that lets nothing else run."""

import hashlib
import html
import re
from base64 import b64encode
from collections import Counter
from pathlib import Path, PurePosixPath

SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)([^>]*)>(.*?)</script>", re.DOTALL)
DATA = re.compile(r"""\btype=["'](?!module|text/javascript|application/javascript)""")
HANDLER = re.compile(r"""<[^<>]*?\son[a-z]+=("[^"]*"|'[^']*')[^<>]*>""")
STYLE = re.compile(r"<style>.*?</style>|(<script\b.*?</script>)", re.DOTALL)  # but not within a script, which has data
FONTAWESOME = re.compile(r'<script[^>]*/fontawesome\.js[^>]*></script>\s*')
HEAD = re.compile(r"<head>(\s*<meta charset=[^>]*>)?")  # a charset counts only among the first 1,024 bytes
CONTENT = ("<article[^>]*>", "<main[^>]*>", '<[^>]*role="main"[^>]*>', "<body[^>]*>")  # the first that a page has
POLICY = "Content-Security-Policy"
STILL = (
    '<noscript><p class="livebook-notice">Without JavaScript this page shows what it showed when the book was built: '
    "its widgets and cells do not run.</p></noscript>"
)


def finish(site: Path, folder: str, missing: list[str]) -> None:
    """All pages of a site."""
    names = {page: page.relative_to(site).as_posix() for page in sorted(site.rglob("*.html"))}
    pages = {page: page.read_text(encoding="utf-8") for page, name in names.items() if not name.startswith("_")}
    handlers = set().union(*map(handlers_of, pages.values()))  # the search page parses the others
    for page, text in pages.items():
        if POLICY not in text:
            new = live(text, names[page], site / "_static" / folder, missing, handlers)
            page.write_text(new, encoding="utf-8")


def live(text: str, name: str, files: Path, missing: list[str], handlers: set[str]) -> str:
    """A page with its scripts and its policy."""
    text = FONTAWESOME.sub("", text)  # the theme's style sheet has the same icons, for a third of the bytes
    text, styles = lift_styles(text)
    root = "../" * name.count("/")
    place = f"{root}_static/{files.name}"
    script = (
        f'<script src="{place}/{only(files, "livebook.*.js")}" data-missing="{html.escape(" ".join(missing))}" '
        f'data-folder="{html.escape(str(PurePosixPath("/book", name).parent))}"></script>'
    )
    parts = [f'<link rel="stylesheet" href="{place}/{only(files, "livebook.*.css")}">']
    if "application/vnd.jupyter.widget-view+json" in text:
        parts.append(f'<link rel="stylesheet" href="{place}/{only(files, "widgets.*.css")}">')
        parts.append(f'<link rel="preload" as="script" href="{place}/{only(files, "widgets.*.js")}">')
    text = text.replace("</head>", "".join([*styles, *parts]) + "</head>", 1)
    start = next(filter(None, (re.search(where, text) for where in CONTENT)), None)
    text = text[: start.end()] + STILL + text[start.end() :] if start else text
    meta = f'<meta http-equiv="{POLICY}" content="{policy(text, handlers)}">'
    # Before the style sheets, for which a script has to wait.
    text, found = HEAD.subn(lambda head: f"{head[0]}{meta}{script}", text, count=1)
    return text if found else meta + text  # a mere redirection


def handlers_of(text: str) -> set[str]:
    """The scripts in a page's `onclick` and the like."""
    return {html.unescape(value[1:-1]) for value in HANDLER.findall(text)}


def only(files: Path, pattern: str) -> str:
    """The one file of a kind."""
    (file,) = files.glob(pattern)
    return file.name


def lift_styles(text: str) -> tuple[str, list[str]]:
    """Style sheets that outputs repeat: once in the head is enough."""
    times = Counter(found[0] for found in STYLE.finditer(text) if not found[1])
    repeated = [style for style in times if times[style] > 1]
    return STYLE.sub(lambda found: "" if found[0] in repeated else found[0], text), repeated


def policy(text: str, handlers: set[str]) -> str:
    """Only the site's own files, WebAssembly, the inline scripts that the page has now, and these handlers."""
    inline = {script for attributes, script in SCRIPT.findall(text) if script and not DATA.search(attributes)}
    hashes = sorted(f"'sha256-{digest(source)}'" for source in inline | handlers)
    scripts = ["'self'", "'wasm-unsafe-eval'", *(["'unsafe-hashes'"] if handlers else []), *hashes]
    return "; ".join((
        "default-src 'self'", f"script-src {' '.join(scripts)}", "worker-src 'self'", "connect-src 'self'",
        "style-src 'self' 'unsafe-inline'", "img-src 'self' blob: data:", "media-src 'self' blob: data:",
        "font-src 'self' data:", "form-action 'self'", "base-uri 'none'", "object-src 'none'",
    ))  # fmt: skip


def digest(source: str) -> str:
    """What a browser compares an inline script with."""
    return b64encode(hashlib.sha256(source.encode()).digest()).decode()
