"""What a built page is given: its scripts, and a policy under which they run."""

import hashlib
import re
from base64 import b64encode

import pytest
from livebook import pages

VIEW = '<script type="application/vnd.jupyter.widget-view+json">{"model_id": "1"}</script>'


@pytest.fixture
def files(tmp_path):
    """The folder of what live pages load."""
    folder = tmp_path / "_static" / "livebook"
    folder.mkdir(parents=True)
    for name in ("livebook.0.js", "livebook.0.css", "widgets.0.js", "widgets.0.css"):
        (folder / name).touch()
    return folder


@pytest.fixture
def live(files):
    """A page that is made live."""

    def live(body, name="page.html", head=""):
        page = f"<html><head>{head}</head><body>{body}</body></html>"
        return pages.live(page, name, files, ["numpy", "matplotlib"], pages.handlers_of(page))

    return live


def policy(page):
    """The page's policy: directive -> sources."""
    (meta,) = re.findall('<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    return {name: sources for name, *sources in (part.split() for part in meta.split("; "))}


def allowed(source):
    """How a policy names an inline script."""
    return f"'sha256-{b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def test_page_loads_its_script(live):
    page = live("text")
    assert '<script src="_static/livebook/livebook.0.js"' in page
    assert 'data-missing="numpy matplotlib"' in page
    assert 'data-folder="/book"' in page
    assert "widgets.0" not in page


def test_no_style_sheet_keeps_its_script_waiting(live):
    page = live("text", head='<link rel="stylesheet" href="theme.css">')
    assert page.index("Content-Security-Policy") < page.index("livebook.0.js") < page.index("theme.css")


def test_only_the_character_set_comes_before_the_policy(live):
    page = live("text", head='\n<meta charset="utf-8" /><script>one()</script>')
    assert re.match(r'<html><head>\n<meta charset="utf-8" /><meta http-equiv="Content-Security-Policy"', page)


def test_addresses_and_folder_are_those_of_a_page_that_lies_deeper(live):
    page = live("text", "some/where/page.html")
    assert 'src="../../_static/livebook/livebook.0.js"' in page
    assert 'data-folder="/book/some/where"' in page


def test_page_with_widgets_loads_what_draws_them(live):
    page = live(VIEW)
    assert "_static/livebook/widgets.0.js" in page
    assert '<link rel="stylesheet" href="_static/livebook/widgets.0.css">' in page


def test_policy_allows_the_inline_scripts_that_are_there_and_no_others(live):
    page = live('<script>one()</script><script type="module">two()</script>' + VIEW, head="<script>three()</script>")
    sources = policy(page)["script-src"]
    scripts = {allowed(f"{name}()") for name in ("one", "two", "three")}
    assert {source for source in sources if "sha256" in source} == scripts
    assert "'unsafe-inline'" not in sources
    assert "'unsafe-eval'" not in sources
    assert "'unsafe-hashes'" not in sources


def test_policy_allows_the_handlers_that_are_there(live):
    sources = policy(live("""<a onclick="go(&quot;on&quot;)">on</a><a onfocus='off()'>off</a>"""))["script-src"]
    assert {"'unsafe-hashes'", allowed('go("on")'), allowed("off()")} <= set(sources)


def test_policy_lets_nothing_in_from_another_host(live):
    for sources in policy(live("text")).values():
        assert not [source for source in sources if not source.startswith("'") and source not in ("data:", "blob:")]


def test_styles_that_outputs_repeat_go_to_the_head_once(live):
    page = live("<style>a {}</style>1<style>a {}</style>2<style>b {}</style>")
    assert page.count("<style>a {}</style>") == 1
    assert page.index("<style>a {}</style>") < page.index("</head>") < page.index("<style>b {}</style>")


def test_style_sheets_in_a_stored_widget_stay_there(live):
    values = '["<style>a {}</style>", "<style>a {}</style>"]'
    state = f'<script type="application/vnd.jupyter.widget-state+json">{values}</script>'
    page = live(f"{state}<style>a {{}}</style>")
    assert state in page
    assert "<style>" not in page.split("</head>")[0]


@pytest.mark.parametrize("place", ["<article>", '<main id="m">', '<div class="body" role="main">', "<body>"])
def test_page_says_what_it_is_without_javascript(live, place):
    page = live(f"<nav></nav>{place}text")
    assert f"{place}<noscript>" in page
    assert page.count("<noscript>") == 1


def test_a_mere_redirection_has_a_policy_too(files):
    page = pages.live('<meta http-equiv="Refresh" content="0; url=page.html" />\n', "index.html", files, [], set())
    assert policy(page)["default-src"] == ["'self'"]
    assert page.endswith('<meta http-equiv="Refresh" content="0; url=page.html" />\n')


def test_pages_are_finished_once(files, tmp_path):
    (tmp_path / "page.html").write_text("<html><head></head><body>ä</body></html>", encoding="utf-8")
    (tmp_path / "_static" / "part.html").write_text("<p>part</p>", encoding="utf-8")
    pages.finish(tmp_path, "livebook", [])
    once = (tmp_path / "page.html").read_text(encoding="utf-8")
    pages.finish(tmp_path, "livebook", [])
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == once
    assert once.count("<noscript>") == 1
    assert (tmp_path / "_static" / "part.html").read_text(encoding="utf-8") == "<p>part</p>"
