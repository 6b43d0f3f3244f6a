"use strict";
/* The report: a list of scenarios that are drawn when they are opened and come into sight. */
(() => {
  const { make, told } = waSteps;
  const entries = JSON.parse(document.getElementById("index").textContent);
  const stored = document.querySelectorAll("script.picture");
  const list = document.getElementById("list"), form = document.getElementById("filters");
  const items = [];

  // -- one scenario ------------------------------------------------------------------------------
  function item(entry, place) {
    const word = entry.passed ? "passed" : "failed";
    const head = make("summary", "",
      make("span", `pill ${word}`, entry.passed ? "Passed" : "Failed"),
      make("h4", "", told(entry.name)),
      make("code", "", entry.policy),
      make("span", "place", told(`${entry.file}:${entry.line}`)));
    const body = make("div", "body");
    const node = make("details", `case ${word}`, head, body);
    const self = { entry, node, body, place, drawn: false };
    node.open = !entry.passed;
    node.addEventListener("toggle", () => { if (node.open) sight.observe(body); });
    if (node.open) sight.observe(body);
    self.node.item = self;
    return self;
  }

  const sight = new IntersectionObserver((seen) => {
    for (const each of seen) if (each.isIntersecting) draw(each.target.parentNode.item);
  }, { rootMargin: "600px" });

  // What the file leaves out of a mark and of a stretch, because it says nothing.
  const BLANK = Object.fromEntries(["verdict", "reason", "rule", "standing", "rule_text", "kind", "template", "note",
    "error_code", "expected", "window_closes_at", "until"].map((name) => [name, null]));
  const LISTS = ["clauses", "failures", "allowed_kinds", "remedies"];

  function pictureOf(self) {
    const picture = JSON.parse(stored[self.place].textContent);
    for (const band of picture.bands) {
      band.stretches = band.stretches.map((stretch) => ({ window_closes_at: null, until: null, open: false, ...stretch }));
      band.marks = band.marks.map((mark) => {
        const whole = { index: 0, text: "", ...BLANK, ...mark };
        for (const name of LISTS) whole[name] ??= [];
        whole.clauses = whole.clauses.map((id) => ({ id, text: picture.clauses[id] }));
        return whole;
      });
    }
    return picture;
  }

  /** Draw a scenario once. One that cannot be drawn says so, and leaves the others alone. */
  function draw(self) {
    if (self.drawn) return;
    self.drawn = true;
    self.node.classList.add("drawn");
    sight.unobserve(self.body);
    try {
      fill(self);
    } catch (error) {
      self.body.append(make("p", "caution", `Not all of this scenario can be drawn here: ${error.message}.`));
    }
  }

  function fill(self) {
    const { entry, body } = self, picture = pictureOf(self);
    const drawing = make("div", "drawing");
    const show = (mark) => {
      self.timeline.fit();
      const node = drawing.querySelector(`.wa-mark[data-index="${mark.index}"]`);
      node.focus();
    };
    body.append(...waSteps.failures(picture, show), drawing);
    self.timeline = waTimeline(drawing, [picture], {});
    const steps = make("div", "table", ...picture.bands.map((band) => waSteps.table(band, picture)), waSteps.clauses(picture));
    steps.tabIndex = 0;
    steps.setAttribute("role", "group");
    steps.setAttribute("aria-label", `Steps of ${entry.name}`);
    const path = make("div", "path");
    body.append(disclosure("Steps as a table", steps),
      disclosure("Path through the states", path, () => drawPath(path, entry, picture)));
    if (entry.requirement.length) {
      body.append(make("p", "place", "Covers ", told(entry.requirement.join(", "))));
    }
  }

  /** A button that shows something. What is hidden so is printed all the same. */
  function disclosure(text, content, first) {
    const toggle = make("button", "more", text);
    toggle.type = "button";
    toggle.setAttribute("aria-expanded", "false");
    content.classList.add("folded");
    toggle.addEventListener("click", () => {
      const open = content.classList.toggle("folded") === false;
      toggle.setAttribute("aria-expanded", String(open));
      if (open && first) { first(); first = null; }
    });
    return make("div", "disclosure", toggle, content);
  }

  function drawPath(path, entry, picture) {
    const own = Array.from(document.querySelectorAll(".policy")).find(
      (each) => each.dataset.policy === entry.policy && each.dataset.version === entry.version);
    const moves = picture.bands.flatMap((band) => band.moves || []);
    const svg = own.querySelector("svg").cloneNode(true);
    const mark = (selector) => svg.querySelectorAll(selector).forEach((each) => each.classList.add("fired"));
    svg.classList.add("traced");
    for (const band of picture.bands) for (const each of band.stretches) mark(`.state[data-state="${each.state}"]`);
    for (const [from, to] of moves) {
      mark(`.move[data-from="${from}"][data-to="${to}"], .state[data-state="${from}"], .state[data-state="${to}"]`);
    }
    const words = moves.length ? moves.map(([from, to]) => `${from} → ${to}`).join(", ") : "none: the state stayed";
    svg.setAttribute("aria-label", `The path of this scenario through the states: ${words}`);
    path.append(svg, make("p", "place", `Moves: ${words}. Rules that fired: ${entry.rules.join(", ") || "none"}.`));
  }

  // -- the list and its filters --------------------------------------------------------------------
  function group(title, some) {
    if (!some.length) return null;
    const heading = make("h3", "", title);
    const section = make("section", "group", heading, ...some.map((each) => each.node));
    section.filled = { some, heading, title };
    return section;
  }

  entries.forEach((entry, place) => items.push(item(entry, place)));
  const groups = [group("Failed", items.filter((each) => !each.entry.passed)),
    group("Passed", items.filter((each) => each.entry.passed))].filter(Boolean);
  list.append(...groups);
  const nothing = make("p", "nothing", "No scenario fits these filters.");
  nothing.hidden = true;
  list.append(nothing);

  function apply() {
    const wanted = waFilters.read(form);
    let shown = 0;
    for (const { filled, ...rest } of groups.map((each) => ({ filled: each.filled, node: each }))) {
      let own = 0;
      for (const each of filled.some) {
        const fits = waFilters.fits(each.entry, wanted);
        each.node.hidden = !fits;
        own += fits;
      }
      filled.heading.textContent = `${filled.title} (${own})`;
      rest.node.hidden = !own;
      shown += own;
    }
    nothing.hidden = shown > 0;
    const text = shown === items.length ? `${shown} ${shown === 1 ? "scenario" : "scenarios"}` : `${shown} of ${items.length} scenarios`;
    document.getElementById("count").textContent = text;
    return wanted;
  }

  function remember() {
    const hash = waFilters.toHash(apply());
    if (hash !== location.hash) history.replaceState(null, "", hash || location.href.split("#")[0]);
  }

  function recall() {
    if (!waFilters.speaks(location.hash)) return;
    waFilters.write(form, waFilters.fromHash(location.hash));
    apply();
  }

  form.addEventListener("input", remember);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(remember));
  window.addEventListener("hashchange", recall);
  const all = (open) => items.forEach(({ node }) => { if (!node.hidden) node.open = open; });
  document.getElementById("open-all").addEventListener("click", () => all(true));
  document.getElementById("close-all").addEventListener("click", () => all(false));
  document.querySelector(".acts").hidden = false;
  waTimeline.legend(document.getElementById("legend"));

  // -- paper ----------------------------------------------------------------------------------------
  window.addEventListener("beforeprint", () => {
    for (const each of items) {
      if (!each.node.open || each.node.hidden) continue;
      draw(each);
      each.timeline?.fit();
    }
  });

  waFilters.write(form, waFilters.fromHash(location.hash));
  apply();
})();
