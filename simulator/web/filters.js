"use strict";
/* What is shown: the form's fields, the same in the address behind `#`, and which entries fit. */
const waFilters = (() => {
  const NAMES = ["status", "policy", "rule", "q"];

  function read(form) {
    return Object.fromEntries(NAMES.map((name) => [name, form.elements[name].value.trim()]));
  }

  function write(form, wanted) {
    for (const name of NAMES) choose(form.elements[name], wanted[name] || "");
  }

  /** Set a field; what it does not have leaves it empty. Of radio buttons, none is chosen by an
      empty value in every browser, so they are checked one by one. */
  function choose(field, value) {
    if (field instanceof RadioNodeList) {
      const all = [...field];
      (all.find((each) => each.value === value) || all[0]).checked = true;
      return;
    }
    field.value = value;
    if (field.value !== value) field.value = "";
  }

  function fromHash(hash) {
    const params = new URLSearchParams(hash.replace(/^#/, ""));
    return Object.fromEntries(NAMES.map((name) => [name, params.get(name) || ""]));
  }

  function toHash(wanted) {
    const kept = NAMES.filter((name) => wanted[name]).map((name) => [name, wanted[name]]);
    return kept.length ? `#${new URLSearchParams(kept)}` : "";
  }

  /** Whether a hash speaks of filters; `#coverage` and the like do not. */
  const speaks = (hash) => hash.length < 2 || hash.includes("=");

  /** Whether an entry of the index fits. Every word of the text must be somewhere in it. */
  function fits(entry, wanted) {
    if (wanted.status && entry.passed !== (wanted.status === "passed")) return false;
    if (wanted.policy && entry.policy !== wanted.policy) return false;
    if (wanted.rule && !entry.rules.includes(wanted.rule)) return false;
    entry.text ??= [entry.name, `${entry.file}:${entry.line}`, entry.policy, ...entry.requirement,
      ...entry.rules, entry.words].join("\n").toLowerCase();
    return wanted.q.toLowerCase().split(/\s+/).every((word) => entry.text.includes(word));
  }

  return { read, write, fromHash, toHash, speaks, fits };
})();
