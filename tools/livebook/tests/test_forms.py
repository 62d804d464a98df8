"""Forms that Python answers, cells that are known by their id, and all that a reader wrote as one file."""

import json

from playwright.sync_api import expect


def form(reader):
    """The form of the page."""
    return reader.page.locator("form.livebook-form")


def commit(reader, choice):
    """Choose and commit; the text of the answer."""
    form(reader).get_by_label(choice).check()
    form(reader).get_by_role("button", name="Commit").click()
    answer = form(reader).get_by_role("status")
    expect(answer.locator(".output")).to_be_visible(timeout=60_000)
    expect(form(reader)).not_to_have_attribute("aria-busy", "true")
    return answer.inner_text().strip()


def kept(reader):
    """All that the browser keeps for the page's site."""
    return json.loads(reader.page.evaluate("() => JSON.stringify({...localStorage})"))


def test_a_form_is_answered_by_python_and_what_was_said_is_there_after_a_reload(visit):
    reader = visit("forms")
    expect(form(reader).get_by_text("On paper")).to_be_hidden()
    assert commit(reader, "first") == "<Version('1.0')>"
    assert commit(reader, "second") == "<Version('2.0')>"
    reader.page.reload()
    expect(form(reader).get_by_label("second")).to_be_checked()
    assert form(reader).get_by_role("status").inner_text() == "", "no verdict before a commit"
    earlier = form(reader).get_by_text("answered this on an earlier visit.")
    expect(earlier).to_be_visible()
    (said,) = [json.loads(text) for name, text in kept(reader).items() if ":form " in name]
    assert said == {"first": {"version": "1.0"}, "last": {"version": "2.0"}}
    reader.run("ask")
    expect(earlier).to_be_visible()
    form(reader).get_by_role("button", name="See the verdict again").click()
    expect(form(reader).get_by_role("status")).to_contain_text("<Version('2.0')>")
    expect(earlier).to_have_count(0)
    reader.run("ask")
    expect(earlier).to_have_count(0)


def test_what_was_filled_in_and_never_committed_was_not_answered(visit):
    reader = visit("forms")
    form(reader).get_by_label("second").check()
    reader.page.reload()
    expect(form(reader).get_by_label("second")).to_be_checked()
    expect(form(reader).get_by_text("on an earlier visit")).to_have_count(0)


def test_an_answer_that_was_changed_is_marked_as_older(visit):
    reader = visit("forms")
    commit(reader, "first")
    form(reader).get_by_label("second").check()
    expect(form(reader).get_by_role("status")).to_have_attribute("data-stale", "")
    commit(reader, "second")
    expect(form(reader).get_by_role("status")).not_to_have_attribute("data-stale", "")


def test_a_form_in_an_output_that_was_made_anew_is_alive_too(visit):
    reader = visit("forms")
    assert commit(reader, "first") == "<Version('1.0')>"
    reader.run("ask")
    assert form(reader).get_by_role("status").inner_text().strip() == "<Version('1.0')>"
    assert commit(reader, "second") == "<Version('2.0')>"


def test_without_javascript_a_form_says_how_else_to_answer(visit):
    reader = visit("", java_script_enabled=False).open("forms")
    expect(form(reader).get_by_text("On paper")).to_be_visible()
    expect(form(reader).get_by_role("button", name="Commit")).to_be_hidden()
    expect(reader.output("still").get_by_text("a picture of it")).to_be_visible()


def test_a_widget_takes_the_place_of_its_picture(visit):
    output = visit("forms").output("still")
    expect(output.get_by_role("slider")).to_be_visible()
    expect(output.get_by_text("a picture of it")).to_have_count(0)


def test_an_output_that_is_folded_away_opens_when_its_cell_is_run(visit):
    reader = visit("forms")
    expect(reader.page.get_by_text("unfolded", exact=True)).to_be_hidden()
    expect(reader.run("folded")).to_be_visible()


def test_an_output_older_than_its_cell_is_marked(visit):
    reader = visit("still")
    reader.write("sum", "2 + 3")
    expect(reader.cell("sum")).to_have_attribute("data-stale", "")
    assert reader.run("sum").inner_text().strip() == "5"
    expect(reader.cell("sum")).not_to_have_attribute("data-stale", "")
    reader.page.reload()
    expect(reader.cell("sum")).to_have_attribute("data-stale", "")


def test_cells_are_known_by_their_id(visit):
    reader = visit("forms")
    reader.write("folded", "print('mine')")
    assert [name.rpartition(":")[2] for name in kept(reader) if "cell" in name] == ["cell-folded"]


def test_where_the_book_has_changed_both_texts_are_there_and_neither_is_overwritten(visit):
    reader = visit("forms")
    reader.write("folded", "print('mine')")
    (name,) = [name for name in kept(reader) if "cell" in name]
    change = "([name, text]) => localStorage.setItem(name, text.replace(/unfolded/, 'as it was in the last edition'))"
    reader.page.evaluate(change, [name, kept(reader)[name]])
    reader.page.reload()
    earlier = reader.page.get_by_role("region", name="Your earlier code")
    expect(earlier).to_contain_text("print('mine')")
    assert reader.cell("folded").locator(".cell_input").inner_text().strip().startswith("print('unfolded')")
    reader.write("folded", "print('newer')")
    reader.page.reload()
    expect(earlier).to_contain_text("print('mine')")
    expect(reader.cell("folded").get_by_role("textbox")).to_contain_text("print('newer')")
    earlier.get_by_role("button", name="Use mine").click()
    expect(reader.cell("folded").get_by_role("textbox")).to_contain_text("print('mine')")
    earlier.get_by_role("button", name="Forget mine").click()
    expect(earlier).to_have_count(0)


def test_all_of_a_readers_work_is_one_file_that_can_be_read_back(visit, tmp_path):
    reader = visit("forms")
    commit(reader, "second")
    reader.write("folded", "print('mine')")
    with reader.page.expect_download() as saving:
        reader.page.get_by_role("button", name="Save all to a file").click()
    saved = tmp_path / "work.json"
    saving.value.save_as(saved)
    other = visit("forms")
    expect(form(other).get_by_label("second")).not_to_be_checked()
    other.page.locator(".livebook-work input").set_input_files(saved)
    expect(form(other).get_by_label("second")).to_be_checked()
    expect(other.cell("folded").get_by_role("textbox")).to_contain_text("print('mine')")

    saved.write_text("{}")
    other.page.locator(".livebook-work input").set_input_files(saved)
    expect(other.page.locator(".livebook-status")).to_contain_text("was not read, and nothing has changed")


def test_what_was_said_stays_while_python_comes_and_goes_when_the_reader_goes_on(visit):
    denied = "throw new DOMException('no', 'SecurityError')"
    reader = visit("forms", f"Object.defineProperty(window, 'localStorage', {{get() {{ {denied}; }}}});")
    commit(reader, "second")
    reader.status("This browser keeps nothing for this page: your answer is lost when you leave it.")
    reader.run("folded")
    expect(reader.page.locator(".livebook-status")).not_to_contain_text("keeps nothing")
    reader.problems.clear()  # the theme's own


def test_on_a_page_that_is_opened_as_a_file_an_answer_is_kept_and_says_what_is_missing(visit, book):
    reader = visit(None)
    reader.page.goto((book / "forms.html").as_uri())
    expect(form(reader).get_by_role("button", name="Commit")).to_be_hidden()
    form(reader).get_by_label("second").check()
    (name,) = (name for name in kept(reader) if ":form " in name)
    said = json.dumps({"first": {"version": "1.0"}, "last": {"version": "2.0"}})
    reader.page.evaluate("([name, said]) => localStorage.setItem(name, said)", [name, said])
    reader.page.reload()
    expect(form(reader).get_by_label("second")).to_be_checked()
    form(reader).get_by_role("button", name="See the verdict again").click()
    expect(form(reader).get_by_role("status")).to_contain_text("This page was opened as a file")
