"use strict";
/* Shows what was played: how it stands now, the timeline, and the steps. */
const playView = (() => {
  const by = (id) => document.getElementById(id);
  let line = null, selected = null, words = null;

  /** An element with attributes, listeners (`onclick`) and children. */
  function make(tag, about = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(about)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((each) => each !== null && each !== undefined));
    return node;
  }

  /** A sentence of the engine with the names in it as people quote them. */
  const plain = (text) => text.replace(/`([^`]*)`/g, "“$1”");
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  const sign = (allowed) => make("span", { class: `sign ${allowed ? "good" : "bad"}`, "aria-hidden": "true" }, allowed ? "✓" : "✗");

  /** What a policy is called: by its own name, and by its options. */
  function policyName(spec) {
    const [name, ...options] = spec.split(",");
    const known = words.policies.find((each) => each.name === name);
    const more = options.length ? `, ${options.join(", ").replaceAll("=", " ").replaceAll("_", " ")}` : "";
    return known ? `${known.title} (${name}${more})` : name + more;
  }

  const may = (answer) => (answer.verdict === "allowed" ? "may be sent" : "may not be sent");

  // -- now ---------------------------------------------------------------------------------------

  function headline(standing) {
    if (standing.open) return `The window is open: ${standing.left} left`;
    return { closed: "The window was never open", expired: "The window is over" }[standing.state] || "The window is shut";
  }

  function why(answer) {
    const rows = [make("p", {}, make("b", {}, "Rule "), `${answer.rule}${answer.rule_text ? `: ${answer.rule_text}` : ""}`)];
    for (const clause of answer.clauses) rows.push(make("p", { class: "clause" }, clause.text));
    rows.push(make("p", { class: "soft" }, words.standings[answer.standing] || ""));
    if (answer.error_code) rows.push(make("p", {}, make("b", {}, "WhatsApp's error code "), String(answer.error_code)));
    if (answer.uncounted.length) rows.push(make("p", { class: "soft" }, "A reaction came that is not counted on: nobody knows whether it opens the window."));
    return make("details", {}, make("summary", {}, "Why?"), ...rows);
  }

  function answerRow(answer, other) {
    const allowed = answer.verdict === "allowed";
    const apart = other && other.verdict !== answer.verdict;
    const status = answer.status && answer.status !== "approved" ? make("span", { class: "tag" }, answer.status.replaceAll("_", " ")) : null;
    return make("li", { class: `answer ${allowed ? "allowed" : "refused"}${apart ? " apart" : ""}` },
      make("p", { class: "what" }, sign(allowed), make("b", {}, answer.name), " ", make("span", { class: "verdict" }, may(answer)), " ", status,
        apart ? make("span", { class: "tag differs" }, "they differ") : null),
      make("p", {}, capital(plain(answer.text.replace(/^(Allowed|Refused): /, "")))),
      answer.remedies.length ? make("p", {}, make("b", {}, "What helps: "), `${answer.remedies.join(", or ")}.`) : null,
      why(answer));
  }

  function standingCard(standing, other) {
    const card = make("article", { class: `standing ${standing.open ? "open" : "shut"} ${standing.state}` });
    const apart = other && other.open !== standing.open;
    if (other) card.append(make("h3", { class: "policy" }, policyName(standing.policy)));
    card.append(make("p", { class: "headline" }, headline(standing), " ", apart ? make("span", { class: "tag differs" }, "they differ") : null));
    if (standing.open) {
      card.append(make("progress", { max: standing.length_ms, value: Math.min(standing.left_ms, standing.length_ms), "aria-label": "Time left in the window" }));
    }
    card.append(make("p", { class: "soft" }, standing.about));
    const rows = standing.answers.map((answer, at) => answerRow(answer, other && other.answers[at]));
    card.append(make("ul", { class: "answers" }, ...rows));
    return card;
  }

  function showNow({ standings, now }, kept) {
    by("now-title").replaceChildren("Now: ", make("span", { class: "clock" }, now.text),
      make("span", { class: "since" }, ` (${now.since})`));
    const opened = new Set([...kept.querySelectorAll("details[open]")].map((each) => each.dataset.key));
    kept.replaceChildren(...standings.map((each, at) => standingCard(each, standings[1 - at])));
    kept.classList.toggle("two", standings.length > 1);
    [...kept.querySelectorAll("details")].forEach((each, at) => {
      each.dataset.key = at;
      each.open = opened.has(String(at));
    });
  }

  /** The same in a sentence, for who hears the page. */
  function said({ standings, steps, pictures }) {
    const step = steps.length ? marksAt(pictures, steps.length - 1)[0] : null;
    const parts = step ? [steps[steps.length - 1].title, ...(step.verdict ? [plain(step.text)] : [])].map((each) => `${each.replace(/\.$/, "")}.`) : [];
    for (const standing of standings) {
      const free = standing.answers[0];
      const name = standings.length > 1 ? `${policyName(standing.policy)}: ` : "";
      parts.push(`${name}${headline(standing)}. An ordinary message ${may(free)}.`);
    }
    return parts.join(" ");
  }

  // -- the story ---------------------------------------------------------------------------------

  const marksAt = (pictures, index) => pictures.map((picture) =>
    picture.bands.flatMap((band) => band.marks).find((mark) => mark.index === index));

  function showTimeline({ pictures }) {
    by("empty").hidden = pictures.length > 0;
    by("timeline").hidden = !pictures.length;
    if (!pictures.length) return;
    const options = { selected, onSelect: (mark) => choose(mark.index, true) };
    if (line) line.update(pictures, options);
    else line = waTimeline(by("timeline"), pictures, options);
  }

  function showDifferences({ differences, standings }) {
    const note = by("differences");
    note.hidden = standings.length < 2 || !differences.length;
    const count = differences.length;
    note.textContent = `The two sets of rules differ at ${count === 1 ? "one step" : `${count} steps`} of the story (marked ≠).`;
  }

  /** What a step came to: the answer, and how it stood then where that is news. */
  function outcome(mark, spec) {
    const name = spec ? make("span", { class: "soft" }, `${spec.split(",")[0]}: `) : null;
    const then = `${mark.state_text}${mark.window_closes_at ? ` until ${mark.until}` : ""}`;
    const text = mark.verdict ? plain(mark.text) : mark.duplicate ? "The same message again: no effect." : `${capital(then)}.`;
    const lines = [make("p", {}, mark.verdict ? sign(mark.verdict === "allowed") : null, name, text)];
    if (mark.verdict && spec) lines.push(make("p", { class: "soft" }, `Then: ${then}.`));
    for (const each of mark.failures) lines.push(make("p", { class: "failure" }, `The file says something else: ${each.text}.`));
    if (mark.note) lines.push(make("p", { class: "soft" }, `Note: ${mark.note}`));
    return make("div", { class: "outcome" }, ...lines);
  }

  function stepRow(step, index, answer, acts) {
    const { pictures, differences, steps } = answer;
    const marks = marksAt(pictures, index);
    const apart = differences.find((each) => each.index === index);
    const last = index === steps.length - 1;
    const several = marks.length > 1;
    const shown = several && !apart ? marks.slice(0, 1) : marks;
    return make("li", { class: `step${apart ? " apart" : ""}${index === selected ? " selected" : ""}`, "data-index": index, "aria-current": index === selected ? "step" : null },
      make("div", { class: "when" }, step.when, step.happened ? make("span", { class: "soft" }, ` (happened ${step.happened})`) : null),
      make("div", { class: "what" }, make("b", {}, step.title), withWhom(index, answer), apart ? make("span", { class: "tag differs" }, "they differ") : null),
      ...shown.map((mark, at) => outcome(mark, several && apart ? pictures[at].policy : "")),
      make("div", { class: "tools" }, noteButton(index, marks[0], acts), last ? null : make("button", { type: "button", class: "small", onclick: () => acts.back(index), "data-keep": "back", "aria-label": `Go back to step ${index + 1}: ${step.title}` }, "Go back to here")));
  }

  /** A button beside a step that takes a note for readers of the file. */
  function noteButton(index, mark, acts) {
    const button = make("button", { type: "button", class: "small", "data-keep": `note ${index}`, "aria-label": `Note at step ${index + 1}` }, mark.note ? "Change note" : "Add a note");
    button.addEventListener("click", () => noteField(button, index, mark, acts).focus());
    return button;
  }

  /** The field for a note, in the place of its button. */
  function noteField(button, index, mark, acts) {
    const field = make("input", { name: "note", maxlength: 500, value: mark.note || "", "data-keep": `note ${index}`, "aria-label": `Note at step ${index + 1}`, placeholder: "for readers of the file" });
    const form = make("form", { class: "note line" }, field, make("button", {}, "Keep"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      acts.note(index, field.value.trim());
    });
    button.closest("li").append(form);
    button.remove();
    return field;
  }

  /** Draw the steps anew. A note that is being written is left open, unless it has just been kept. */
  function showSteps(answer, acts) {
    const { steps, pictures } = answer;
    const title = (row) => row.querySelector(".what b").textContent;
    const writing = [...by("steps").children].filter((row) => row.querySelector("form.note"));
    by("steps").replaceChildren(...steps.map((step, index) => stepRow(step, index, answer, acts)));
    for (const old of writing) {
      const index = Number(old.dataset.index), { value, defaultValue } = old.querySelector("form.note").elements.note;
      const row = by("steps").children[index];
      if (!row || title(row) !== title(old) || value === defaultValue) continue;
      const [mark] = marksAt(pictures, index);
      if (value.trim() === (mark.note || "")) continue;
      noteField(row.querySelector("[data-keep^=note]"), index, mark, acts).value = value;
    }
  }

  /** With whom, where there are several. */
  function withWhom(index, { pictures, keys }) {
    if (keys.length < 2) return null;
    const band = pictures[0].bands.find((each) => each.marks.some((mark) => mark.index === index));
    const numbers = new Set(keys.map((key) => key.number));
    return make("span", { class: "soft" }, ` ${band.contact}${numbers.size > 1 ? ` at ${band.number}` : ""}`);
  }

  function choose(index, scroll) {
    selected = index;
    for (const row of by("steps").children) {
      const own = Number(row.dataset.index) === index;
      row.classList.toggle("selected", own);
      if (own) row.setAttribute("aria-current", "step"); else row.removeAttribute("aria-current");
      if (own && scroll) row.scrollIntoView({ block: "nearest" });
    }
  }

  // -- the focus ---------------------------------------------------------------------------------

  /** The control that had the focus has it again after everything was drawn anew; where it is gone
      or does nothing any more, “Now” has it. */
  function keepFocus(draw) {
    const focused = () => (document.activeElement === document.body ? null : document.activeElement);
    const had = focused(), kept = had?.dataset.keep;
    draw();
    const has = focused();
    if (!had || (has && !has.disabled && has.checkVisibility())) return;
    const again = kept && [...document.querySelectorAll("[data-keep]")].find((each) => each.dataset.keep === kept && !each.disabled);
    (again || by("now")).focus({ preventScroll: true });
  }

  // -- while something is pressed ----------------------------------------------------------------

  /* A click is one only if it ends on what it began on. So what the page draws by itself waits while
     a pointer or the space bar is down, and until the click has come. */
  const OF_A_FINGER = 100; // milliseconds from lifting it to the click, at most
  const pressed = new Map(), undrawn = [];

  /** Draw at once, or, while something is pressed, right after. */
  function calmly(draw) {
    if (pressed.size) undrawn.push(draw); else draw();
  }

  /** The list of a select is the browser's own, and nobody is told when it is let go. */
  const press = (what, { target }) => { if (!target.closest?.("select")) pressed.set(what, {}); };

  function release(what, wait = 0) {
    const end = pressed.get(what);
    if (end) setTimeout(() => {
      if (pressed.get(what) === end) pressed.delete(what);
      if (!pressed.size) for (const draw of undrawn.splice(0)) draw();
    }, wait);
  }

  function watchPresses() {
    const on = (type, act) => addEventListener(type, act, true);
    on("pointerdown", (event) => { if (!event.button) press(event.pointerId, event); });
    for (const end of ["pointerup", "pointercancel"]) {
      on(end, ({ pointerId, pointerType }) => release(pointerId, pointerType === "mouse" ? 0 : OF_A_FINGER));
    }
    on("pointermove", (event) => { if (!event.buttons) release(event.pointerId); }); // its end was lost
    on("keydown", (event) => { if (event.key === " ") press(" ", event); });
    on("keyup", (event) => release(event.key));
    on("blur", (event) => { if (event.target === window) for (const what of pressed.keys()) release(what); });
  }

  // -- everything --------------------------------------------------------------------------------

  function show(answer, acts) {
    const { steps } = answer;
    selected = steps.length ? steps.length - 1 : null;
    showNow(answer, by("standings"));
    showTimeline(answer);
    showDifferences(answer);
    showSteps(answer, acts);
    by("steps").closest("section").hidden = !steps.length;
    by("hint").hidden = steps.length > 0;
    const notes = new Set(["An ordinary message (WhatsApp says: free-form) is any message but a template", ...answer.notes]);
    by("notes").textContent = [...notes].map((each) => `${capital(plain(each)).replace(/\.$/, "")}.`).join(" ");
    by("bar").textContent = answer.standings.map((each) => `${headline(each)}. An ordinary message ${may(each.answers[0])}.`).join(" ");
    by("said").textContent = said(answer);
  }

  function begin(all) {
    words = all;
    watchPresses();
  }

  return { show, keepFocus, calmly, make, by, policyName, begin };
})();
