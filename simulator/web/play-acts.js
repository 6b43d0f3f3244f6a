"use strict";
/* What one may let happen: each form makes a step, each setting changes what is played. */
const playActs = (() => {
  const { make, by, policyName, calmly, keepFocus } = playView;
  const UNITS = [["hours", 3600000], ["minutes", 60000], ["seconds", 1000], ["days", 86400000], ["ms", 1]];
  const PASSES = { "1h": 3600000, "1ms": 1 };
  const OTHER = "other";
  let words = null, tried = () => {};

  const option = (value, text, selected) => make("option", { value, selected }, text);

  /** New options for a select, its choice kept where it is still there. */
  function fill(select, options) {
    const had = select.value;
    select.replaceChildren(...options);
    const there = [...select.options].some((each) => each.value === had);
    if (had && there) select.value = had;
  }

  function on(id, act) {
    by(id).addEventListener("submit", (event) => {
      event.preventDefault();
      tried(() => act(event.target.elements, event.submitter));
    });
  }

  /** The same for what happens with the customer who is named at the top. */
  const onWith = (id, act) => on(id, (fields, button) => named().then(() => act(fields, button)));

  /** Who has typed a name need not press “Choose”. Nothing goes to the one before instead. */
  async function named() {
    const form = by("somebody");
    if (form.hidden) return;
    if (!form.reportValidity()) throw new Error("With whom? Type the name of the customer, or choose one from the list.");
    await meetNamed(form.elements);
  }

  const meetNamed = ({ number, contact }) => playStory.meet({ number: number.value.trim(), contact: contact.value.trim() })
    .then(() => calmly(() => { contact.value = ""; by("somebody").hidden = true; }));

  /** Set a value under a name that people choose, `__proto__` too. */
  const put = (values, name, value) => Object.defineProperty(values, name, { value, configurable: true, enumerable: true, writable: true });

  const span = (fields) => Math.round(Number(fields.count.value) * Number(fields.unit.value));

  // -- once --------------------------------------------------------------------------------------

  function begin(all, attempt) {
    [words, tried] = [all, attempt];
    for (const select of document.querySelectorAll('select[name="unit"]')) {
      select.replaceChildren(...UNITS.map(([name, size]) => option(size, name)));
    }
    const kinds = Object.entries(words.customer).map(([kind, text]) => option(kind, text));
    by("customer").elements.kind.replaceChildren(...kinds);
    const statuses = Object.entries(words.statuses);
    for (const id of ["status", "add-template"]) {
      by(id).elements.status.replaceChildren(...statuses.map(([name, text]) => option(name, text)));
    }
    by("status").elements.status.value = "paused";
    by("failure").elements.code.replaceChildren(...words.codes.map(([code, text]) => option(code, text)));
    by("zones").replaceChildren(...Intl.supportedValuesOf("timeZone").map((zone) => option(zone, "")));
    happenings();
    changes();
  }

  function happenings() {
    const customer = by("customer").elements;
    const dated = () => { by("customer").querySelector("[data-if]").hidden = customer.when.value === "now"; };
    customer.when.addEventListener("change", dated);
    dated();
    customer.kind.addEventListener("change", () => {
      by("customer").querySelector(".main").textContent = customer.kind.value === "call" ? "Customer calls" : "Customer writes";
    });
    onWith("customer", (fields) => {
      const away = { now: 0, late: span(fields), early: -span(fields) }[fields.when.value];
      return playStory.happen({ customer: fields.kind.value }, away).then(() => calmly(() => { fields.when.value = "now"; dated(); }));
    });
    on("again", (fields) => playStory.again(Number(fields.message.value)));
    by("business").elements.message.addEventListener("change", otherShown);
    onWith("business", (fields, button) => {
      const message = fields.message.value === OTHER ? { template: fields.other.value.trim() } : JSON.parse(fields.message.value);
      return playStory.happen({ [button?.value || "business"]: message });
    });
    onWith("time", (fields) => playStory.pass(span(fields)));
    for (const button of document.querySelectorAll("[data-pass]")) {
      button.addEventListener("click", () => tried(() => named().then(() => playStory.pass(PASSES[button.dataset.pass]))));
    }
    onWith("until", (fields) => {
      const { now } = playStory.answer, here = Date.parse(now.at);
      const then = instants(fields.until.value, now.zone).find((each) => each > here);
      if (!then) throw new Error("That is not after now. Time only goes on; to go back, use Undo or “Go back to here”.");
      return playStory.pass(then - here);
    });
    on("status", (fields) => playStory.happen({ platform: { ...JSON.parse(fields.template.value), status: fields.status.value } }));
    on("failure", (fields) => playStory.fail(Number(fields.message.value), fields.code.value));
  }

  function otherShown() {
    const other = by("business").elements.message.value === OTHER;
    by("other").hidden = !other;
    by("business").elements.other.required = other;
  }

  // -- settings ----------------------------------------------------------------------------------

  function changes() {
    for (const place of [0, 1]) {
      by(`policy-${place}`).addEventListener("change", (event) => {
        const { value } = event.target;
        tried(() => playStory.change((next) => {
          if (value) next.policies[place] = JSON.parse(value); else next.policies.splice(1);
        }).finally(asPlayed));
      });
    }
    on("add-template", (fields) => playStory.change((next) => {
      const name = fields.name.value.trim(), templates = next.scenario.templates || (next.scenario.templates = {});
      if (Object.hasOwn(templates, name)) throw new Error(`There is a template of the name ${name} already.`);
      put(templates, name, fields.status.value);
    }).then(() => { fields.name.value = ""; }));
    on("start", (fields) => playStory.change((next, { now }) => {
      const zone = fields.zone.value.trim(), all = instants(fields.start.value, zone), was = begun(now);
      const same = all.some((each) => local(each, zone) === local(was, zone)); // it shows no milliseconds
      if (same && zone === now.zone) return;
      next.scenario.start = written(all.includes(was) ? was : all[0], zone);
      if (/^[+-]/.test(zone)) delete next.scenario.timezone; else next.scenario.timezone = zone;
    }));
    by("who").addEventListener("change", (event) => {
      const [number, contact] = event.target.value ? JSON.parse(event.target.value) : [];
      by("somebody").hidden = Boolean(number);
      if (number) tried(() => playStory.meet({ number, contact }));
      else by("somebody").elements.contact.focus();
    });
    on("somebody", (fields) => meetNamed(fields).then(() => by("who").focus()));
    by("title").addEventListener("change", (event) => {
      const title = event.target.value.trim();
      if (title) tried(() => playStory.change((next) => { next.scenario.scenario = title; }));
      else event.target.value = playStory.played.scenario.scenario;
    });
  }

  /** The instant at which the story starts. */
  const begun = ({ at, offset }) => Date.parse(at) - offset;

  /** An instant as the field for date and time shows it in a zone; without milliseconds. */
  function local(at, zone) {
    const { date, time } = waClock.parts(at, zone);
    return `${date}T${time}`;
  }

  /** The instants at which the clocks in a zone show a date and time, the first one first. */
  function instants(local, zone) {
    const wall = Date.parse(`${local}Z`);
    if (Number.isNaN(wall)) throw new Error("That is no date and time.");
    if (!waClock.knows(zone)) throw new Error(`There is no time zone of the name ${zone}. Choose one such as Europe/Berlin.`);
    const found = waClock.instants(wall, zone);
    if (!found.length) throw new Error("The clocks skip this time: they are set forward over it. Choose an earlier or a later one.");
    return found;
  }

  /** An instant as scenario files write it, with the offset of a zone; in UTC where that has seconds. */
  function written(at, zone) {
    const by = waClock.ahead(at, zone);
    if (by % 60000) return new Date(at).toISOString().replace(".000Z", "Z");
    return `${local(at, zone)}${waClock.offset(by)}`;
  }

  // -- after each step ---------------------------------------------------------------------------

  function show(answer) {
    const { played } = playStory;
    by("title").value = played.scenario.scenario;
    showPolicies(played.policies);
    showTemplates(answer.standings[0].answers, played.scenario.templates || {});
    showStart(answer);
    showWho(answer);
    showTime(answer);
    const listed = (wanted) => answer.steps.flatMap((step, index) =>
      (step[wanted] ? [option(index, `${step.title.replace(/^You try to send: /, "")}, ${step.when}`)] : []));
    by("again-box").hidden = !answer.steps.some((step) => step.again);
    fill(by("again").elements.message, listed("again"));
    const sends = listed("may_fail");
    fill(by("failure").elements.message, sends);
    by("no-sends").hidden = sends.length > 0;
    by("failure").querySelector(".line").hidden = !sends.length;
  }

  function showPolicies(policies) {
    const known = words.policies.map((each) => each.name);
    for (const place of [0, 1]) {
      const own = policies[place], name = nameOf(own);
      const choices = [...known, ...words.chosen.map(nameOf), ...(own ? [name] : [])];
      const options = [...new Set(choices)].map((each) => option(JSON.stringify(each === name ? own : each), policyName(each), each === name));
      by(`policy-${place}`).replaceChildren(...(place ? [option("", "nothing", !own), ...options] : options));
      showOptions(place, own);
    }
  }

  /** Show by which rules it is played, also after they could not be changed. */
  const asPlayed = () => calmly(() => keepFocus(() => showPolicies(playStory.played.policies)));

  const nameOf = (policy) => (typeof policy === "object" ? policy.name : policy);

  function showOptions(place, policy) {
    const box = by(`options-${place}`), known = words.policies.find((each) => each.name === nameOf(policy));
    box.hidden = !known;
    if (!known) return;
    const set = (name, value) => tried(() => playStory.change((next) => {
      const own = next.policies[place], now = typeof own === "object" ? { ...own } : { name: own };
      if (value) now[name] = value; else delete now[name];
      next.policies[place] = Object.keys(now).length > 1 ? now : now.name;
    }).finally(asPlayed));
    box.querySelector("legend").textContent = policyName(known.name);
    const rows = known.options.map(({ name, kind, help, label, default: usual }) => {
      const value = typeof policy === "object" ? policy[name] : undefined;
      const field = kind === "flag"
        ? make("input", { type: "checkbox", checked: value === "true", "data-keep": `${place} ${name}`, onchange: (event) => set(name, event.target.checked ? "true" : "") })
        : make("input", { type: "text", size: 8, value: value || "", placeholder: usual, "data-keep": `${place} ${name}`, onchange: (event) => set(name, event.target.value.trim()) });
      const text = `${label}: ${help}${kind === "flag" ? "" : ", such as 5m or 1h 30m"}`;
      return kind === "flag" ? make("label", { class: "check" }, field, text) : make("label", { class: "length" }, text, " ", field);
    });
    // The legend stays in its place: Chromium may not draw a fieldset whose legend was moved while the fold was closed.
    for (const old of [...box.children].slice(1)) old.remove();
    box.append(...rows);
  }

  function showTemplates(answers, templates) {
    const listed = answers.slice(1);
    const texts = Object.entries(words.ordinary).map(([kind, text]) => option(JSON.stringify(kind), `an ordinary message: ${text}`));
    const named = listed.map(({ message, name, status }) => option(JSON.stringify(message), `${name}: ${words.statuses[status] || "not registered"}`));
    const send = by("business").elements.message;
    fill(send, [make("optgroup", { label: "Ordinary messages" }, ...texts),
      make("optgroup", { label: "Templates" }, ...named, option(OTHER, "a template that is not registered…"))]);
    otherShown();
    fill(by("status").elements.template, listed.map(({ message, name }) => option(JSON.stringify(message), name.replace(/^Template /, ""))));
    by("status").hidden = !listed.length;
    by("templates").replaceChildren(...Object.entries(templates).map(([name, status]) => make("li", {},
      make("b", {}, name), " ",
      typeof status === "string" ? statusSelect(name, status) : "in several languages, or with a category", " ",
      make("button", { type: "button", class: "small", "aria-label": `Remove the template ${name}`, onclick: () => remove(name) }, "Remove"))));
  }

  const remove = (name) => tried(() => playStory.change((next) => { delete next.scenario.templates[name]; }));

  function statusSelect(name, status) {
    const options = Object.entries(words.statuses).map(([each, text]) => option(each, text, each === status));
    const change = (event) => tried(() => playStory.change((next) => { put(next.scenario.templates, name, event.target.value); }));
    return make("select", { "aria-label": `Status of ${name} at the start`, "data-keep": `template ${name}`, onchange: change }, ...options);
  }

  function showStart({ now }) {
    by("start").elements.start.value = local(begun(now), now.zone);
    by("until").elements.until.value = local(Date.parse(now.at), now.zone);
    by("start").elements.zone.value = now.zone;
  }

  function showWho({ who, keys }) {
    const same = (a, b) => a.number === b.number && a.contact === b.contact;
    const all = keys.some((key) => same(key, who)) ? keys : [...keys, who];
    const named = ({ number, contact }) => `${contact}, your number “${number}”`;
    by("who").replaceChildren(...all.map((key) => option(JSON.stringify([key.number, key.contact]), named(key), same(key, who))),
      option("", "another customer or number…"));
    by("somebody").hidden = true;
    by("somebody").elements.number.value = who.number;
  }

  function showTime({ deadlines, now, standings }) {
    const several = standings.length > 1;
    const rows = deadlines.map(({ what, offset, when, policies }) => {
      const told = what === "window" ? "The window ends" : "The safety margin begins";
      const go = (text, to) => make("button", { type: "button", disabled: to <= now.offset, "data-keep": `${what} ${text}`, "aria-label": `${told}: go to ${text}`, onclick: () => tried(() => playStory.pass(0, to)) }, text);
      return make("li", {}, make("span", {}, `${told} ${when}`, several ? make("span", { class: "soft" }, ` (${policies.map((each) => each.split(",")[0]).join(", ")})`) : null, ". Go to"),
        make("span", { class: "line" }, go("1 ms before", offset - 1), go("exactly then", offset), go("1 ms after", offset + 1)));
    });
    const none = make("li", { class: "soft" }, "No window is open, so there is no end to go to.");
    by("deadlines").replaceChildren(...(rows.length ? rows : [none]));
  }

  return { begin, show };
})();
