"use strict";
/* What lies behind the marks: states, the ends of windows, ways of late arrivals, the axis.
   `view` says where an instant is: see sight.js. */
const waBand = (() => {
  const { make, fitted } = waMarks;
  const HEIGHT = 28;

  /** One state while it lasted, with as many words as it has room for. */
  function stretch(one, y, picture, view, hatch) {
    const from = Math.max(-4, view.x(waClock.ms(one.begin)));
    const to = Math.min(view.width + 4, view.x(one.end === picture.end ? view.end : waClock.ms(one.end)));
    if (to <= from) return [];
    const box = { x: from, y, width: to - from, height: HEIGHT, rx: 4 };
    const node = make("g", { class: `wa-stretch wa-${one.state} wa-${one.open ? "open" : "shut"}` },
      make("rect", { ...box, class: "wa-fill" }));
    if (!one.open) node.append(make("rect", { ...box, fill: `url(#${hatch})` }));
    const left = Math.max(from, 0) + 8, room = Math.min(to, view.width) - left - 6;
    const until = one.window_closes_at;
    const long = until ? `${one.text} until ${one.until}` : one.text;
    const short = until ? `${one.text} until ${waClock.time(waClock.ms(until), picture.timezone)}` : long;
    const [words, window] = one.text.split("; ");
    const said = [long, short, one.text, words, window || words].find((each) => fitted(each, room) === each);
    node.append(make("title", {}, long), make("text", { x: left, y: y + HEIGHT / 2 + 4 }, said || fitted(words, room)));
    return [node];
  }

  /** Where a window or the time before its margin ends. */
  function edge(one, y, picture, view) {
    const here = view.x(waClock.ms(one.at));
    if (here < 0 || here > view.width) return [];
    return [make("g", { class: "wa-edge" },
      make("title", {}, `${one.text}, ${waClock.stamp(waClock.ms(one.at), picture.timezone)}`),
      make("line", { x1: here, x2: here, y1: y - 5, y2: y + HEIGHT + 5 }))];
  }

  /** What arrived late or early: a hollow dot where it happened, and the way to its arrival. */
  function trail(mark, y, top, view) {
    if (mark.at === mark.arrived_at) return [];
    const from = view.x(waClock.ms(mark.at)), to = view.x(waClock.ms(mark.arrived_at));
    return [make("g", { class: `wa-mark wa-${mark.who}` },
      make("path", { class: "wa-trail", d: `M${from} ${y}Q${(from + to) / 2} ${Math.min(y, top) - 16} ${to} ${y}` }),
      make("circle", { class: "wa-ghost", cx: from, cy: y, r: 4 }))];
  }

  /** A sign over both bands at each step that two pictures answer differently. */
  function differences(marks, view, top, bottom) {
    return marks.flatMap((mark) => {
      const here = view.x(waClock.ms(mark.arrived_at));
      return [make("rect", { class: "wa-differs", x: here - 15, y: top + 20, width: 30, height: bottom - top - 24, rx: 8 }),
        make("text", { class: "wa-differs-sign", x: here, y: top + 17, "text-anchor": "middle" }, "≠")];
    });
  }

  function now(instant, view, bottom) {
    const here = view.x(waClock.ms(instant));
    return make("g", { class: "wa-now", "aria-hidden": "true" },
      make("line", { x1: here, x2: here, y1: 18, y2: bottom }),
      make("text", { x: here, y: 13, "text-anchor": here > view.width - 30 ? "end" : "middle" }, "now"));
  }

  /** Where a text of this width goes, so that it stays inside the picture. */
  function placed(here, half, width) {
    if (here - half < 0) return ["start", here - 4];
    return here + half > width ? ["end", here - 2 * half] : ["middle", here - half];
  }

  /** Times under the line, dates where they change, and how long it is from one to the next. */
  function axis(zone, view, y) {
    const lines = [make("line", { class: "wa-axis", x1: view.x(view.from), x2: view.x(view.to), y1: y, y2: y })];
    const words = make("g", { "aria-hidden": "true" });
    const write = (x, height, anchor, text) => words.append(
      make("text", { class: "wa-faint", x, y: y + height, "text-anchor": anchor }, text));
    let free = -1, day = null, before = null;
    for (const tick of view.ticks()) {
      const here = view.x(tick), said = waClock.time(tick, zone), today = waClock.date(tick, zone);
      lines.push(make("line", { class: "wa-tick", x1: here, x2: here, y1: 20, y2: y + 5 }));
      if (before !== null && !view.proportional) {
        const gap = waClock.length(tick - before[0]);
        if (here - before[1] > gap.length * 5.6 + 12) write((here + before[1]) / 2, -4, "middle", gap);
      }
      before = [tick, here];
      const half = said.length * 3.4 + 4, [anchor, left] = placed(here, half, view.width);
      if (left < free) continue;
      write(here, 17, anchor, said);
      free = left + 2 * half;
      if (today !== day) {
        write(here, 31, anchor, today);
        free = Math.max(free, left + 70);
      }
      day = today;
    }
    return [lines, words];
  }

  return { HEIGHT, stretch, edge, trail, differences, now, axis };
})();
