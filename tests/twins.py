"""A lab on a page, and its twin in this process: whatever is done to the one is done to the other."""

import ipywidgets
from widgets_seen import inside, placed, value

# HTML as the page has it, without what the page's own scripts add, and without style sheets, which it keeps elsewhere.
CLEAN = """html => {
    const box = document.createElement("div");
    box.innerHTML = html;
    for (const style of box.querySelectorAll("style")) style.remove();
    for (const region of box.querySelectorAll("[tabindex]")) region.removeAttribute("tabindex");
    for (const says of box.querySelectorAll("[role=status]")) says.removeAttribute("role");
    return box.innerHTML;
}"""
# Which of the cells that stand alone it is.
NUMBER = "cell => [...document.querySelectorAll('.cell.tag_standalone:not(:has(form))')].indexOf(cell)"
# All that a lab says below its title, and all that can be chosen.
SHOWN = f"""lab => ({{
    says: [...lab.querySelectorAll(".widget-html-content")].filter(area => !area.closest(".mmsim-cells")).slice(1)
        .map(area => area.innerHTML).map({CLEAN}),
    cells: [...lab.querySelectorAll(".mmsim-cells button")].map(
        cell => [cell.matches(".mmsim-open"), cell.textContent]),
    lists: [...lab.querySelectorAll("select")].map(
        list => [...list.options].map(option => option.textContent.replaceAll("\\u00a0", " "))),
}})"""
# Where its controls stand.
STANDS = """lab => [...lab.querySelectorAll(".widget-readout, select, input")].map(
    part => part.matches("select") ? part.selectedIndex : part.checked ?? Number(part.textContent))"""
# What has the focus: is it to be seen, and what can be done with it?
FOCUSED = """() => {
    const part = document.activeElement, style = getComputedStyle(part), box = part.getBoundingClientRect();
    const middle = (low, high, room) => (Math.max(low, 0) + Math.min(high, room)) / 2;
    const [x, y] = [middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight)];
    const there = document.elementFromPoint(x, y);
    const kinds = {slider: ".noUi-handle", number: ".widget-readout", list: "select", box: "input", button: "button"};
    return {
        inside: Boolean(part.closest(".mmsim-stepper")),
        kind: Object.keys(kinds).find(kind => part.matches(kinds[kind])),
        name: (part.ariaLabel ?? part.labels?.[0]?.textContent ?? part.textContent).replace(": number", ""),
        value: part.matches("select") ? part.selectedIndex
            : part.checked ?? Number(part.closest(".widget-slider")?.querySelector(".widget-readout").textContent),
        cell: [...part.closest(".mmsim-cells")?.querySelectorAll("button") ?? []].indexOf(part),
        last: part.matches("select") ? part.options.length - 1 : Number(part.getAttribute("aria-valuemax")),
        first: Number(part.getAttribute("aria-valuemin")),
        ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
        covered: !(there && (part.contains(there) || there.contains(part))),
        called: part.outerHTML.slice(0, 120),
    };
}"""


class Twins:
    """A lab in a cell of a page (`shown`), and what that cell makes here (`lab`), which says what is to be seen."""

    def __init__(self, visit, cell):
        self.visit, self.cell, self.shown = visit, cell, cell.locator(".cell_output:not([hidden]) .mmsim-stepper")
        self.lab = value(placed(visit.name)[cell.evaluate(NUMBER)])

    @property
    def expected(self):
        """What is to be seen now."""
        areas = [part.value for part in self.lab.children if isinstance(part, ipywidgets.HTML)][1:]
        shown, paper = self.lab.walk.look(self.lab.walk.slider.value).html, self.lab.walk.paper
        areas.insert(len(areas) - (paper is not None), shown)
        lists = [[str(label) for label, _ in part.options] for part in self.parts(ipywidgets.Dropdown)]
        says = [self.visit.page.evaluate(CLEAN, area) for area in areas]
        made = getattr(self.lab, "cells", {}).values()
        cells = [["mmsim-open" in cell._dom_classes, cell.description] for cell in made]
        return {"says": says, "cells": cells, "lists": lists}, [self.stand(part) for part in self.parts(*STAND)]

    @property
    def seen(self):
        """What is to be seen on the page."""
        return self.shown.evaluate(SHOWN), self.shown.evaluate(STANDS)

    def agree(self):
        """Wait until the page shows what is expected."""
        expected = self.expected
        self.visit.until(lambda: self.seen == expected, lambda: difference(self.seen, expected))

    def parts(self, *kinds):
        """The parts of some kinds, in the order of the page."""
        return [part for part in inside(self.lab) if isinstance(part, kinds)]

    def stand(self, part):
        """Where a control stands, as the page has it."""
        return part.index if isinstance(part, ipywidgets.Dropdown) else part.value

    @property
    def controls(self):
        """How many controls are to be seen; a slider's number is one of its own."""
        row = self.lab.walk.row
        hidden = row.children if row.layout.display == "none" else ()
        parts = [part for part in self.parts(*STAND, ipywidgets.Button) if part not in hidden]
        return len(parts) + sum(isinstance(part, ipywidgets.IntSlider) for part in parts)

    # -- by keyboard -------------------------------------------------------------------------------------

    def by_keyboard(self):
        """Go from the button above the lab through all of it; each part that has the focus, in turn."""
        keyboard = self.visit.page.keyboard
        self.cell.evaluate("cell => cell.querySelectorAll(':scope > details').forEach(fold => fold.open = true)")
        self.cell.get_by_role("button", name="Restart").focus()
        for _ in range(100):
            keyboard.press("Tab")
            part = self.visit.page.evaluate(FOCUSED)
            if not part["inside"]:
                return
            assert part["ring"], part
            assert not part["covered"], part
            yield part
        raise AssertionError("the focus does not get out of the lab")

    def move(self, part):
        """Move what has the focus, if it is a control, and do the same here. Was it one?"""
        keyboard = self.visit.page.keyboard
        if part["kind"] in ("slider", "number") and not self.can_move(part["name"]):
            return True
        match part["kind"]:
            case "slider":
                keyboard.press("ArrowRight" if part["value"] < part["last"] else "ArrowLeft")
            case "number":
                keyboard.press("Control+a")
                keyboard.type(str(self.other_number(part)))
                keyboard.press("Enter")
            case "list":
                keyboard.press("ArrowDown" if part["value"] < part["last"] else "ArrowUp")
            case "box":
                keyboard.press("Space")
            case "button":
                self.click(part)
                return True
            case _:
                return False
        moved = self.visit.page.evaluate(FOCUSED)
        assert (moved["kind"], moved["name"]) == (part["kind"], part["name"]), "the focus was lost"
        assert moved["value"] != part["value"], part
        self.set(part["name"], moved["value"])
        return True

    def can_move(self, name):
        """Has a slider more than one place? A story without a step has none to go to."""
        (slider,) = (slider for slider in self.parts(ipywidgets.IntSlider) if slider.description == name)
        return slider.min < slider.max

    def other_number(self, part):
        """Another one that a slider can have, not where the arrow keys came from if there are three."""
        (slider,) = (slider for slider in self.parts(ipywidgets.IntSlider) if slider.description == part["name"])
        ways = (part["value"] + slider.step * steps for steps in (2, -2, 1, -1))
        return next(number for number in ways if slider.min <= number <= slider.max)

    def click(self, part):
        """Press the button that has the focus; one that steps moves the page's slider, Python or not."""
        name = part["name"]
        by, before = {"Back": -1, "Forward": 1}.get(name), self.step
        self.visit.page.keyboard.press("Enter")
        if by is None:
            pressed = self.lab.buttons[name] if part["cell"] < 0 else list(self.lab.cells.values())[part["cell"]]
            pressed.click()
            return
        handle = self.shown.locator(".step-row .noUi-handle")
        first, last = (int(float(handle.get_attribute(f"aria-value{end}"))) for end in ("min", "max"))
        assert self.step == min(max(before + by, first), last), name
        self.set("Step", self.step)

    @property
    def step(self):
        """The step that the page shows."""
        return int(self.shown.locator(".step-row .widget-readout").text_content())

    def set(self, name, value):
        """Give a control here the value that it has there."""
        (part,) = (part for part in self.parts(*STAND) if part.description == name)
        if isinstance(part, ipywidgets.Dropdown):
            part.index = value
        else:
            part.value = value


STAND = (ipywidgets.IntSlider, ipywidgets.Dropdown, ipywidgets.Checkbox)


def difference(seen, expected):
    """The first thing that is not as it should be."""
    if seen[1] != expected[1]:
        return f"controls stand at {seen[1]}, not at {expected[1]}"
    for kind in expected[0]:
        for one, other in zip(seen[0][kind], expected[0][kind], strict=False):
            if one != other:
                return f"the page shows {one!r}, not {other!r}"
    return f"the page has {[len(v) for v in seen[0].values()]} parts, not {[len(v) for v in expected[0].values()]}"
