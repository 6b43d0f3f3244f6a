"use strict";
/* The shapes of a timeline: one for each who acts, with a glyph for what was answered. */
const waMarks = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const MOST = 4, CLOSEST = 22; // levels of a crowded lane; pixels from mark to mark in one level
  const GLYPHS = {
    allowed: "M-4 0l3 3.5l5.5-7", refused: "M-3.5-3.5l7 7M3.5-3.5l-7 7",
    customer: "M-4-1.5h8M-4 2h5", platform: "M0-3.5v4M0 3.6v.2", look: "M-1.5 0h3M0-1.5v3",
  };
  const LEGEND = [
    ["the customer writes", { who: "customer" }], ["sent: allowed", { who: "business", verdict: "allowed" }],
    ["not sent: refused", { who: "business", verdict: "refused" }], ["only asked", { who: "ask", verdict: "allowed" }],
    ["the platform reports", { who: "platform" }], ["a look", { who: "look" }],
    ["arrived again", { who: "customer", duplicate: true }],
    ["an expectation failed", { who: "look", failures: [0] }],
    ["window open", null, "wa-user_opened"], ["window shut", null, "wa-expired", "M-9 3l6-6M-3 5l10-10M4 5l6-6"],
  ];

  function make(tag, attributes = {}, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  const measure = document.createElement("canvas").getContext("2d");
  /** As much of a text as fits; empty where hardly anything does. */
  function fitted(text, room, size = 12) {
    measure.font = `600 ${size}px system-ui, "DejaVu Sans", sans-serif`;
    if (measure.measureText(text).width <= room) return text;
    const cut = Array.from(text).slice(0, Math.ceil(room / 2));
    while (cut.length > 5 && measure.measureText(cut.join("") + "…").width > room) cut.pop();
    return cut.length > 5 ? `${cut.join("").trimEnd()}…` : "";
  }

  /** The shape around 0 0, by who acts. */
  function shape(mark) {
    if (mark.who === "customer") return make("circle", { r: 10, class: "wa-shape" });
    if (mark.who === "platform") return make("path", { d: "M0-12L12 0L0 12L-12 0Z", class: "wa-shape" });
    if (mark.who === "look") return make("circle", { r: 6, class: "wa-shape" });
    return make("rect", { x: -10, y: -10, width: 20, height: 20, rx: 5, class: "wa-shape" });
  }

  /** A whole mark around 0 0. */
  function drawn(mark) {
    const about = ["wa-mark", `wa-${mark.who}`];
    if (mark.verdict) about.push(`wa-${mark.verdict}`);
    if (mark.duplicate) about.push("wa-duplicate");
    if (mark.failures.length) about.push("wa-failed");
    const node = make("g", { class: about.join(" ") },
      make("circle", { r: 15, class: "wa-ring" }), shape(mark),
      make("path", { d: GLYPHS[mark.verdict || mark.who], class: "wa-glyph" }));
    if (mark.failures.length) {
      node.append(make("g", { transform: "translate(9 -9)" },
        make("circle", { r: 6.5, class: "wa-alarm" }),
        make("path", { d: "M0-3v3.4M0 3v.1", class: "wa-alarm-glyph" })));
    }
    return node;
  }

  /** Where each mark of a lane stands: its x, its level so that none hides another, and how wide
   *  its label may be. Marks of one instant, which no zoom parts, have as many levels as they need;
   *  what is only crowded shares a few. @param marks in order of arrival. */
  function lane(marks, x, width) {
    const places = marks.map((mark) => x(waClock.ms(mark.arrived_at))), ends = [];
    const found = marks.map((mark, i) => {
      const here = places[i];
      let level = ends.findIndex((end) => here - end >= CLOSEST);
      if (level < 0 && ends.length >= MOST) level = crowded(ends, here);
      if (level < 0) level = ends.length;
      ends[level] = here;
      const free = [places[i - 1], places[i + 1]].filter((each) => each !== undefined).map((each) => Math.abs(each - here) - 6);
      return { mark, x: here, level, room: Math.min(150, 2 * (here + 4), 2 * (width - here + 4), ...free) };
    });
    return { marks: found, count: Math.max(1, ends.length) };
  }

  /** The level whose last mark is farthest away; -1 where all of them stand at this very place. */
  function crowded(ends, here) {
    const farthest = Math.min(...ends);
    return farthest < here ? ends.indexOf(farthest) : -1;
  }

  /** Put into a list what the marks and the bands mean. */
  function legend(list) {
    list.replaceChildren(...LEGEND.map(([text, mark, state, hatch]) => {
      const item = document.createElement("li");
      const sign = mark ? drawn({ failures: [], ...mark }) : make("g", { class: `wa-stretch ${state}` },
        make("rect", { x: -12, y: -6, width: 24, height: 12, rx: 3, class: "wa-fill" }),
        make("path", { d: hatch || "", class: "wa-hatch-line" }));
      item.append(make("svg", { width: 24, height: 24, viewBox: "-12 -12 24 24", "aria-hidden": "true" }, sign), text);
      return item;
    }));
  }

  return { make, fitted, drawn, lane, legend };
})();
