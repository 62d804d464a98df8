"""The style sheet of all figures. Colours come in two schemes; the page's own choice wins over the system's.

Contrast is tested: text has at least 4.5:1 on its background, what carries meaning in a drawing 3:1.
"""

from __future__ import annotations

LIGHT = {
    "bg": "#ffffff", "fg": "#1c2024", "muted": "#57606a", "line": "#7a828c", "soft": "#eef1f4",
    "movable": "#1f5fbf", "movable-soft": "#dce9fb", "kernel": "#9a4b00", "kernel-soft": "#fbe6d0",
    "on": "#ffffff", "bad": "#b3141f", "bad-soft": "#fde4e4", "good": "#166534", "good-soft": "#def3e3",
    "focus": "#6b2fb3",
}
DARK = {
    "bg": "#14181d", "fg": "#e8ebee", "muted": "#a8b1bb", "line": "#828c97", "soft": "#242b33",
    "movable": "#7db4ff", "movable-soft": "#16304f", "kernel": "#f2a65a", "kernel-soft": "#43290f",
    "on": "#10141a", "bad": "#ff8f8f", "bad-soft": "#4a1a1f", "good": "#7fd69a", "good-soft": "#15391f",
    "focus": "#c9a6ff",
}
# (what is drawn, what it is drawn on, the least contrast): what the style sheet below puts together.
CONTRASTS = (
    ("fg", "bg", 4.5), ("fg", "soft", 4.5), ("fg", "movable-soft", 4.5), ("fg", "kernel-soft", 4.5),
    ("fg", "bad-soft", 4.5), ("fg", "good-soft", 4.5), ("muted", "bg", 4.5), ("muted", "soft", 4.5),
    ("bad", "bg", 4.5), ("bad", "soft", 4.5), ("on", "movable", 4.5), ("on", "kernel", 4.5), ("on", "bad", 4.5),
    ("on", "good", 4.5), ("on", "muted", 4.5), ("bad", "bad-soft", 4.5), ("good", "good-soft", 4.5),
    ("line", "bg", 3), ("line", "soft", 3), ("movable", "bg", 3), ("movable", "movable-soft", 3), ("kernel", "bg", 3),
    ("kernel", "kernel-soft", 3), ("focus", "bg", 3), ("focus", "soft", 3),
)


def variables(colours: dict[str, str]) -> str:
    """Custom properties for one scheme."""
    return "".join(f"--mmsim-{name}:{value};" for name, value in colours.items())


def rules() -> str:
    """All rules, with var(--mmsim-NAME) written as @NAME."""
    return """
.mmsim-fig{margin:1em 0;padding:.75em;border:1px solid @line;border-radius:6px;background:@bg;color:@fg;
font:15px/1.45 system-ui,sans-serif;text-align:left;overflow-wrap:break-word}
.widget-html-content:has(>.mmsim-fig){min-width:0}.mmsim-short{white-space:nowrap}
.mmsim-fig figcaption{margin:0 0 .6em;color:@fg;font:inherit;text-align:left}
.mmsim-fig svg{display:block;width:100%;max-width:520px;height:auto;overflow:visible}
.mmsim-fig details{margin-top:.6em}
.mmsim-fig summary{cursor:pointer;color:@fg}
.mmsim-fig :focus-visible{outline:3px solid @focus;outline-offset:2px}
.mmsim-fig figcaption b{font-weight:700}
.mmsim-scroll{overflow-x:auto;max-width:100%}
.mmsim-fig .mmsim-scroll table{border-collapse:collapse;margin:.5em 0;font-size:14px;color:@fg;width:auto}
.mmsim-fig .mmsim-scroll table :is(th,td){border:1px solid @line;padding:.2em .5em;text-align:left;font-weight:400;
color:@fg;background:@bg;vertical-align:top}
.mmsim-fig .mmsim-scroll table thead th{font-weight:700;background:@soft}
.mmsim-t{fill:@fg;font:12px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.mmsim-b{font-weight:700}.mmsim-mid{text-anchor:middle}.mmsim-end{text-anchor:end}.mmsim-small{font-size:11.5px}
.mmsim-big{font-size:15px}.mmsim-muted{fill:@muted}.mmsim-on{fill:@on}.mmsim-badtext{fill:@bad}
.mmsim-line,.mmsim-hatch,.mmsim-lane{fill:none;stroke:@line;stroke-width:1.2}
.mmsim-hatch{stroke-width:1}.mmsim-lane{stroke-dasharray:2 4}
.mmsim-active{fill:none;stroke:@fg;stroke-width:2.5}
.mmsim-box{fill:@bg;stroke:@line;stroke-width:1.2}.mmsim-plain{fill:@soft}
.mmsim-dashed{stroke-dasharray:6 3}.mmsim-dotted{stroke-dasharray:1.5 3}
.mmsim-movable{fill:@movable;stroke:@movable}.mmsim-movable-soft{fill:@movable-soft;stroke:@movable}
.mmsim-kernel{fill:@kernel;stroke:@kernel}.mmsim-kernel-soft{fill:@kernel-soft;stroke:@kernel}
.mmsim-other{fill:@muted;stroke:@muted}.mmsim-other-soft{fill:@soft;stroke:@line}
.mmsim-bad{fill:@bad;stroke:@bad}.mmsim-good{fill:@good;stroke:@good}
.mmsim-cross{fill:none;stroke:@on;stroke-width:1.6}
.mmsim-now{fill:@soft;stroke:@focus;stroke-width:2}.mmsim-switch{fill:none;stroke:@focus;stroke-width:2}
.mmsim-fig pre.mmsim-log{margin:0;padding:.6em;background:@soft;color:@fg;border:1px solid @line;border-radius:4px;
overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,Menlo,Consolas,monospace}
.mmsim-log b{color:@bad}
.mmsim-code{border:1px solid @line;border-radius:4px;background:@bg}
.mmsim-fig .mmsim-code .mmsim-scroll table{width:100%;margin:0;
font:13px/1.5 ui-monospace,Menlo,Consolas,monospace}
.mmsim-fig .mmsim-code table :is(th,td){border:0;padding:0 .4em}
.mmsim-fig .mmsim-code thead th{padding:.3em .4em}
.mmsim-fig .mmsim-code table tbody th{color:@muted;text-align:right;width:1%;white-space:nowrap}
.mmsim-fig .mmsim-code table td.mmsim-mark{width:1%;padding:0 .1em;font-weight:700}
.mmsim-code td code{display:block;padding-left:var(--mmsim-hang);text-indent:calc(-1*var(--mmsim-hang));
white-space:pre-wrap;overflow-wrap:anywhere;
background:none;border:0;color:inherit;font:inherit}
.mmsim-fig .mmsim-code table td.mmsim-del{background:@bad-soft}
.mmsim-fig .mmsim-code table td.mmsim-ins{background:@good-soft}
.mmsim-side td.mmsim-src{width:49%}
.mmsim-fig .mmsim-side table :is(td,th):nth-child(4){border-left:1px solid @line}
.mmsim-both{container-type:inline-size}.mmsim-side{display:none}
@container (min-width:42em){.mmsim-side{display:block}.mmsim-uni{display:none}}
"""


def style_sheet() -> str:
    """The sheet: light, unless the page says dark, or says nothing and the system does."""
    sheet = (
        f".mmsim-fig{{color-scheme:light;{variables(LIGHT)}}}"
        "@media (prefers-color-scheme:dark){html:not([data-theme=light]) body:not([data-jp-theme-light=true]) "
        f".mmsim-fig{{color-scheme:dark;{variables(DARK)}}}}}"
        "html[data-theme=dark] .mmsim-fig,body[data-jp-theme-light=false] .mmsim-fig"
        f"{{color-scheme:dark;{variables(DARK)}}}"
    ) + "".join(rules().splitlines())
    for name in sorted(LIGHT, key=len, reverse=True):
        sheet = sheet.replace(f"@{name}", f"var(--mmsim-{name})")
    return sheet


STYLE = f"<style>{style_sheet()}</style>"
