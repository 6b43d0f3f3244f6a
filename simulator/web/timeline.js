"use strict";
/* waTimeline(element, pictures, options): draws one picture, or two of the same case, as SVG.

   pictures  a list of one or two values as `simulator/reports/picture.py` makes them
   options   onSelect(mark, picture)  called on a click, Enter or Space on a mark
             selected                 index of the step that is marked, or null
             now                      an instant (text) at which a line is drawn, or null
   returns   {update(pictures, options), zoomIn(), zoomOut(), fit()}

   waTimeline.legend(list) puts into a list what the marks mean.

   Keys on a mark: left and right to the one before and after, Home and End, Enter selects, Escape
   closes the card, plus and minus zoom, 0 shows all. No style attribute is written into the page,
   so a strict content security policy holds. */
const waTimeline = (() => {
  const { make, fitted, drawn, lane } = waMarks;
  const LEVEL = 27, STEM = 12, NAME = 38; // pixels: of a level, from ribbon to mark, above a band
  let made = 0;

  const at = (mark) => waClock.ms(mark.arrived_at);
  const shortly = (mark) => mark.kind || mark.template || mark.label.replace(/^[^:]*: /, "");
  const answer = (mark) => JSON.stringify([mark.verdict, mark.reason, mark.state, mark.window_closes_at]);

  function button(text, label, act) {
    const node = document.createElement("button");
    node.type = "button";
    node.textContent = text;
    node.title = label;
    node.setAttribute("aria-label", label);
    node.addEventListener("click", act);
    return node;
  }

  function start(element, pictures, options) {
    const id = `wa-timeline-${++made}`, hatch = `${id}-hatch`;
    const root = document.createElement("div"), tools = document.createElement("div");
    root.className = "wa-timeline";
    tools.className = "wa-tools";
    const svg = make("svg", { role: "group" });
    const slide = document.createElement("input");
    Object.assign(slide, { type: "range", min: 0, max: 1000, className: "wa-move", hidden: true });
    slide.setAttribute("aria-label", "Move through time");
    root.append(tools, svg, slide);
    element.replaceChildren(root);
    const card = waCard.holder(root, `${id}-card`), view = new waSight();
    let entries = []; // all marks in the order of steps; those in sight have a node
    let byMark = new Map();
    let current = 0; // of the entries, the one that Tab comes to
    let touched = false; // until then one zooms around the middle

    /** All marks, by step, and with two policies one after the other. */
    function load(selected) {
      entries = pictures.flatMap((picture, place) => picture.bands.flatMap((band) =>
        band.marks.map((mark) => ({ mark, picture, place, node: null }))));
      entries.sort((a, b) => a.mark.index - b.mark.index || a.place - b.place);
      byMark = new Map(entries.map((entry) => [entry.mark, entry]));
      const wanted = entries.findIndex(({ mark }) => mark.index === selected);
      if (wanted >= 0) [current, touched] = [wanted, true];
      current = Math.max(0, Math.min(current, entries.length - 1));
      view.load(pictures, options.now);
    }

    // -- drawing -----------------------------------------------------------------------------------
    function draw() {
      const focused = entries.findIndex(({ node }) => node && node === document.activeElement);
      for (const entry of entries) entry.node = null;
      const behind = make("g", { "aria-hidden": "true" });
      svg.replaceChildren(make("defs", {}, make("pattern",
        { id: hatch, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        make("line", { x1: 0, y1: 0, x2: 0, y2: 8, class: "wa-hatch-line" }))), behind);
      const bottom = drawBands(behind);
      const [lines, words] = waBand.axis(pictures[0].timezone, view, bottom);
      behind.append(...lines);
      svg.append(words);
      if (options.now) svg.append(waBand.now(options.now, view, bottom));
      svg.append(...entries.flatMap(({ node }) => node || []));
      svg.setAttribute("viewBox", `0 0 ${view.width} ${bottom + 36}`);
      svg.setAttribute("aria-label", `Timeline of ${pictures[0].name}: ${entries.length} steps. ` +
        "Left and right arrows go from step to step.");
      root.classList.toggle("wa-zoomed", view.zoomed);
      showTools();
      order();
      if (focused >= 0) entries[focused]?.node?.focus({ preventScroll: true });
    }

    function drawBands(behind) {
      const apart = differing();
      let y = 4;
      pictures[0].bands.forEach((band, place) => {
        const top = y;
        for (const picture of pictures) {
          if (picture.bands[place]) y = drawBand(picture.bands[place], picture, y);
        }
        behind.append(...waBand.differences(band.marks.filter((mark) => apart.has(mark.index)), view, top, y));
        y += 6;
      });
      return y;
    }

    function drawBand(band, picture, top) {
      const above = lane(band.marks.filter((mark) => mark.who === "customer"), view.x.bind(view), view.width);
      const below = lane(band.marks.filter((mark) => mark.who !== "customer"), view.x.bind(view), view.width);
      const ribbon = top + NAME + above.count * LEVEL + STEM - 8, foot = ribbon + waBand.HEIGHT;
      const title = make("text", { x: 18, y: top + 14, class: "wa-name" },
        fitted(`${band.contact} at ${band.number}`, view.width * 0.6, 13));
      if (pictures.length > 1) title.append(make("tspan", { dx: 8, class: "wa-policy" }, picture.policy));
      const group = make("g", { "aria-hidden": "true" }, title,
        ...band.stretches.flatMap((each) => waBand.stretch(each, ribbon, picture, view, hatch)),
        ...band.edges.flatMap((each) => waBand.edge(each, ribbon, picture, view)));
      for (const [side, base, way] of [[above, ribbon - STEM - 8, -1], [below, foot + STEM + 8, 1]]) {
        for (const { mark, x, level, room } of side.marks) {
          if (x < -20 || x > view.width + 20) continue;
          const y = base + way * level * LEVEL;
          group.append(...waBand.trail(mark, y, ribbon, view),
            make("line", { class: "wa-stem", x1: x, x2: x, y1: y, y2: way < 0 ? ribbon : foot }));
          drawMark(byMark.get(mark), x, y, room, way);
        }
      }
      svg.append(group);
      return foot + STEM + 8 + (below.count - 1) * LEVEL + 34;
    }

    function drawMark(entry, x, y, room, way) {
      const { mark, picture } = entry, node = drawn(mark), label = waCard.name(mark, picture);
      node.setAttribute("transform", `translate(${x.toFixed(2)} ${y})`);
      node.setAttribute("role", "button");
      node.setAttribute("aria-label", pictures.length > 1 ? `${picture.policy}: ${label}` : label);
      node.dataset.index = mark.index;
      if (mark.index === options.selected) {
        node.classList.add("wa-selected");
        node.setAttribute("aria-pressed", "true");
      }
      const text = room > 18 ? fitted(shortly(mark), room, 11) : "";
      if (text) node.append(make("text", { y: way < 0 ? -16 : 24, "text-anchor": "middle", class: "wa-label" }, text));
      node.addEventListener("mouseenter", () => card.open(entry, "hover"));
      node.addEventListener("mouseleave", card.leave);
      node.addEventListener("focus", () => {
        [current, touched] = [entries.indexOf(entry), true];
        order();
        card.open(entry);
      });
      node.addEventListener("blur", card.unpin);
      node.addEventListener("click", () => select(entry));
      node.addEventListener("keydown", (event) => key(event, entry));
      entry.node = node;
    }

    /** The steps at which two pictures answer differently. */
    function differing() {
      if (pictures.length < 2) return new Set();
      const [ours, theirs] = pictures.map((picture) => new Map(
        picture.bands.flatMap((band) => band.marks.map((mark) => [mark.index, answer(mark)]))));
      return new Set([...ours.keys()].filter((index) => theirs.has(index) && ours.get(index) !== theirs.get(index)));
    }

    // -- keys and choosing ---------------------------------------------------------------------------
    function order() {
      const inSight = entries.filter(({ node }) => node);
      const one = entries[current]?.node ? entries[current] : inSight[0];
      for (const entry of inSight) entry.node.setAttribute("tabindex", entry === one ? 0 : -1);
    }

    function go(to) {
      current = Math.min(entries.length - 1, Math.max(0, to));
      const { mark, node } = entries[current];
      const moved = view.show(at(mark));
      if (moved || !node) draw();
      entries[current].node.focus({ preventScroll: true });
    }

    function key(event, entry) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const here = entries.indexOf(entry);
      const acts = {
        ArrowRight: () => go(here + 1), ArrowDown: () => go(here + 1),
        ArrowLeft: () => go(here - 1), ArrowUp: () => go(here - 1),
        Home: () => go(0), End: () => go(entries.length),
        Enter: () => select(entry), " ": () => select(entry), Escape: card.close,
        "+": () => zoom(2), "=": () => zoom(2), "-": () => zoom(0.5), 0: fit,
      };
      if (!acts[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      acts[event.key]();
    }

    function select(entry) {
      [current, touched] = [entries.indexOf(entry), true];
      card.open(entry, "pin");
      if (options.onSelect) options.onSelect(entry.mark, entry.picture);
    }

    // -- tools -------------------------------------------------------------------------------------
    function zoom(factor) {
      const share = touched && entries.length ? view.share(at(entries[current].mark)) : 0.5;
      view.zoom(factor, Math.min(1, Math.max(0, share)));
      draw();
    }

    function fit() {
      view.all();
      draw();
    }

    const inward = button("+", "Zoom in", () => zoom(2)), outward = button("−", "Zoom out", () => zoom(0.5));
    const all = button("Show all", "Show all", fit);
    const ruler = button("To scale", "Draw time to scale", () => { view.rescale(!view.proportional); draw(); });
    tools.append(ruler, outward, inward, all);

    function showTools() {
      ruler.setAttribute("aria-pressed", String(view.proportional));
      outward.disabled = all.disabled = slide.hidden = !view.zoomed;
      inward.disabled = view.span <= view.least;
      slide.value = Math.round(view.place * 1000);
    }

    slide.addEventListener("input", () => { view.moveTo(slide.value / 1000); draw(); });
    svg.addEventListener("wheel", (event) => {
      const box = svg.getBoundingClientRect();
      if (event.ctrlKey) view.zoom(event.deltaY < 0 ? 1.25 : 0.8, (event.clientX - box.left) / box.width);
      else if (event.deltaX && view.zoomed) view.move(event.deltaX / view.inner);
      else return;
      event.preventDefault();
      draw();
    }, { passive: false });
    let dragged = null;
    svg.addEventListener("pointerdown", (event) => {
      if (!view.zoomed || event.target.closest(".wa-mark")) return;
      dragged = event.clientX;
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (dragged === null) return;
      view.move((dragged - event.clientX) / view.inner);
      dragged = event.clientX;
      draw();
    });
    for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => { dragged = null; });
    root.addEventListener("keydown", (event) => { if (event.key === "Escape") card.close(); });
    new ResizeObserver(() => {
      const wide = Math.max(280, Math.round(root.clientWidth));
      if (!root.clientWidth || wide === view.width) return;
      view.width = wide;
      draw();
    }).observe(root);

    view.width = Math.max(280, Math.round(root.clientWidth) || view.width);
    load(options.selected);
    draw();
    return {
      update(others, more = options) {
        const kept = view.zoomed ? [view.from, view.to] : null;
        card.close();
        [pictures, options] = [others, more];
        const focused = entries.findIndex(({ node }) => node && node === document.activeElement);
        load(options.selected);
        if (kept) view.keep(...kept);
        draw();
        if (focused >= 0) entries[Math.min(focused, entries.length - 1)]?.node?.focus({ preventScroll: true });
      },
      zoomIn: () => zoom(2),
      zoomOut: () => zoom(0.5),
      fit,
    };
  }

  const draw = (element, pictures, options = {}) => start(element, pictures, options);
  draw.legend = waMarks.legend;
  return draw;
})();
