"use strict";
/* What one step came to, in words: the card beside a mark, and the same as a mark's name. */
const waCard = (() => {
  function paragraph(card, kind, ...parts) {
    const p = document.createElement("p");
    if (kind) p.className = kind;
    for (const part of parts) p.append(part);
    card.append(p);
  }

  function strong(text) {
    const b = document.createElement("b");
    b.textContent = text;
    return b;
  }

  /** When it came, and when it happened if that is another time. */
  function when(mark, picture) {
    const said = waClock.stamp(waClock.ms(mark.arrived_at), picture.timezone);
    if (mark.at === mark.arrived_at) return said;
    const happened = waClock.stamp(waClock.ms(mark.at), picture.timezone);
    return `${said}, ${mark.late ? "late: it happened" : "early: it is dated"} ${happened}`;
  }

  const kinds = (mark) => mark.allowed_kinds.map((kind) => kind.replace("_", "-")).join(" and ");

  /** Whether the text of a mark says more than its label. */
  const more = (mark) => mark.text && mark.text.replace(/\.$/, "").toLowerCase() !== mark.label.toLowerCase();

  /** Everything that a screen reader should say of a mark, in one line. */
  function name(mark, picture) {
    const said = [mark.label, waClock.stamp(waClock.ms(mark.arrived_at), picture.timezone)];
    if (more(mark)) said.push(mark.text);
    if (mark.duplicate) said.push("a repeated delivery");
    if (mark.late) said.push("arrived late");
    said.push(...mark.failures.map((failure) => `failed: ${failure.text}`));
    return said.filter(Boolean).map((each) => each.replace(/[.\s]+$/, "")).join(". ");
  }

  /** Fill a card with all that is known of a mark. */
  function fill(card, mark, picture) {
    card.replaceChildren();
    paragraph(card, "wa-when", when(mark, picture));
    paragraph(card, "wa-title", mark.label + (mark.duplicate ? " (a repeated delivery)" : ""));
    for (const failure of mark.failures) {
      paragraph(card, "wa-failure", strong("Failed: "), failure.text);
    }
    if (mark.verdict) paragraph(card, `wa-verdict wa-${mark.verdict}`, mark.text);
    else if (more(mark)) paragraph(card, "", mark.text);
    if (mark.rule) {
      paragraph(card, "", strong("Rule "), mark.rule, mark.standing ? ` (${mark.standing})` : "");
    }
    for (const clause of mark.clauses) paragraph(card, "wa-clause", clause.text);
    if (mark.verdict) {
      paragraph(card, "", strong("May go: "), kinds(mark) || "nothing");
      if (mark.error_code) paragraph(card, "", strong("WhatsApp's error: "), String(mark.error_code));
    }
    if (mark.remedies.length) paragraph(card, "", strong("What helps: "), mark.remedies.join("; "));
    const until = mark.window_closes_at && waClock.stamp(waClock.ms(mark.window_closes_at), picture.timezone);
    paragraph(card, "", strong("Then: "), mark.state_text, until ? ` until ${until}` : "", ` (${mark.state})`);
    if (mark.expected) paragraph(card, "wa-when", `The scenario expects: ${mark.expected}`);
  }

  /** A card over `root`: opens beside a mark, may be read with the pointer, closes with Escape. */
  function holder(root, id) {
    const card = document.createElement("div");
    Object.assign(card, { className: "wa-card", id, hidden: true });
    card.setAttribute("role", "tooltip");
    root.append(card);
    let shown = null, pinned = false, closing = 0;

    function place(node) {
      const box = root.getBoundingClientRect(), mark = node.querySelector(".wa-ring").getBoundingClientRect();
      const left = mark.left + mark.width / 2 - box.left - card.offsetWidth / 2;
      card.style.left = `${Math.max(0, Math.min(left, box.width - card.offsetWidth))}px`;
      const below = mark.bottom + 8, above = mark.top - card.offsetHeight - 8;
      const fits = below + card.offsetHeight <= window.innerHeight || above < 0;
      card.style.top = `${(fits ? below : above) - box.top}px`;
    }

    function close() {
      pinned = false;
      card.hidden = true;
      shown?.removeAttribute("aria-describedby");
      shown = null;
    }

    /** @param how `pin`: it stays until the mark loses focus; `hover`: only if none is pinned. */
    function open({ node, mark, picture }, how = "") {
      if (how === "hover" && pinned) return;
      if (how === "pin") pinned = true;
      clearTimeout(closing);
      if (shown !== node) shown?.removeAttribute("aria-describedby");
      shown = node;
      fill(card, mark, picture);
      card.hidden = false;
      node.setAttribute("aria-describedby", id);
      place(node);
    }

    /** Close soon: the pointer may go over to the card, to read on or to copy from it. */
    function leave() {
      if (pinned) return;
      clearTimeout(closing);
      closing = setTimeout(() => { if (!card.matches(":hover") && shown !== document.activeElement) close(); }, 120);
    }

    card.addEventListener("mouseleave", leave);
    return { open, close, leave, unpin: () => { pinned = false; leave(); } };
  }

  return { fill, name, holder };
})();
