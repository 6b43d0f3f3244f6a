"use strict";
/* One scenario in words: what failed, and its steps as a table beside the timeline. */
const waSteps = (() => {
  function make(tag, kind, ...children) {
    const node = document.createElement(tag);
    if (kind) node.className = kind;
    node.append(...children);
    return node;
  }

  /** A text of a file: isolated, so that its direction changes nothing around it. */
  function told(text) {
    return make("bdi", "", String(text));
  }

  function said(value) {
    if (value === null) return "none";
    if (value === true) return "yes";
    if (value === false) return "no";
    return Array.isArray(value) ? value.join(" or ") : String(value);
  }

  const when = (instant, picture) => waClock.stamp(waClock.ms(instant), picture.timezone);

  /** Every failed expectation, and a button that shows its step in the timeline. */
  function failures(picture, show) {
    const failed = picture.bands.flatMap((band) => band.marks).filter((mark) => mark.failures.length);
    return failed.sort((a, b) => a.index - b.index).map((mark) => {
      const seen = make("button", "more", "Show the step");
      seen.type = "button";
      seen.setAttribute("aria-label", `Show the step ${mark.label} in the timeline`);
      seen.addEventListener("click", () => show(mark));
      const box = make("div", "failure", make("p", "step", make("b", "", told(mark.label)),
        ` ${when(mark.arrived_at, picture)}, line ${mark.failures[0].line} `, seen));
      for (const each of mark.failures) {
        box.append(make("p", "", `${each.expect.replaceAll("_", " ")}: expected `,
          make("b", "wanted", told(said(each.expected))), ", got ", make("b", "got", told(said(each.actual)))));
      }
      if (mark.verdict) box.append(make("p", "", told(mark.text), mark.rule ? ` Rule ${mark.rule}.` : ""));
      return box;
    });
  }

  function cells(mark, picture) {
    const at = make("td", "when", when(mark.arrived_at, picture));
    if (mark.late) at.append(make("small", "", `late: it happened ${when(mark.at, picture)}`));
    if (mark.early) at.append(make("small", "", `early: it is dated ${when(mark.at, picture)}`));
    const step = make("td", "", told(mark.label + (mark.duplicate ? " (a repeated delivery)" : "")));
    if (mark.note) step.append(make("small", "", told(mark.note)));
    const answer = make("td", mark.verdict || "", mark.verdict ? told(mark.text) : "");
    const then = make("td", "", mark.state_text, mark.until ? ` until ${mark.until}` : "");
    for (const each of mark.failures) then.append(make("small", "failed", "Failed: ", told(each.text)));
    return [at, step, answer, make("td", "", mark.rule || ""), then];
  }

  /** The rules of a picture's steps, and the clauses that each rests on. */
  function clauses(picture) {
    const rules = new Map();
    for (const mark of picture.bands.flatMap((band) => band.marks)) {
      if (mark.rule) rules.set(`${mark.rule} ${mark.event}`, mark);
    }
    const items = [...rules.values()].map((mark) => make("li", "", make("b", "", mark.rule),
      ` ${mark.standing || ""}: `, told(mark.clauses.map((clause) => clause.text).join("; ") || mark.rule_text || "")));
    return make("ul", "clauses", ...items);
  }

  /** The steps of one band, and the ends of its windows, in the order of time. */
  function table(band, picture) {
    const lines = band.marks.map((mark) => [waClock.ms(mark.arrived_at), 1, mark.index, cells(mark, picture)]);
    for (const edge of band.edges) {
      const wide = make("td", "edge", told(edge.text));
      wide.colSpan = 4;
      lines.push([waClock.ms(edge.at), 0, 0, [make("td", "when", when(edge.at, picture)), wide]]);
    }
    lines.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    const heads = ["When", "Step", "Answer", "Rule", "Then"].map((text) => make("th", "", text));
    for (const each of heads) each.scope = "col";
    return make("table", "steps",
      make("caption", "", told(band.contact), " at ", told(band.number), `, times in ${waClock.knows(picture.timezone) && picture.timezone || "UTC"}`),
      make("thead", "", make("tr", "", ...heads)),
      make("tbody", "", ...lines.map((line) => make("tr", "", ...line[3]))));
  }

  return { make, told, failures, table, clauses };
})();
