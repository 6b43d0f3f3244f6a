"use strict";
/* What is played: plain values in the grammar of scenario files, and every change that can be undone.

   playStory.change(made)  `made` takes a copy of what is played and changes it. The server plays it; if
                         it has mistakes, nothing changes and they are thrown.
   Changes wait for each other, so quick clicks add up. */
const playStory = (() => {
  const TOKEN = document.querySelector('meta[name="play-token"]').content;
  const KEPT = "wa-sim play";
  const UNITS = [["h", 3600000], ["m", 60000], ["s", 1000], ["ms", 1]];
  const MOST = 200; // changes that can be undone
  const ROOM = 2000000; // characters of them that are kept for a reload; browsers take twice that

  let played = null, answer = null, who = { number: "business", contact: "customer" };
  let past = [], future = [], waiting = Promise.resolve(), turns = 0, told = () => {}, about = null;
  let unkept = false;

  class Mistakes extends Error {
    constructor(mistakes) {
      super(mistakes.map((each) => each.text).join("\n"));
      this.mistakes = mistakes;
    }
  }

  /** Ask the server. Throws an Error with a sentence for people. */
  async function ask(what, question = {}) {
    let came;
    try {
      came = await fetch(`/api/${what}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Play-Token": TOKEN },
        body: JSON.stringify(question),
      });
    } catch {
      throw new Error("The simulator does not answer: it was ended, or the computer slept. Start “wa-sim play” again " +
        "and load this page anew; what you played stays here.");
    }
    const said = await came.json().catch(() => ({ error: "the answer cannot be read" }));
    if (!came.ok) throw new Error(`The simulator refused that: ${said.error}.`);
    if (said.mistakes) throw new Mistakes(said.mistakes);
    return said;
  }

  const copy = (value) => JSON.parse(JSON.stringify(value));
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  /** A length in milliseconds as scenario files write it. */
  function lengthText(span) {
    const said = [];
    for (const [name, size] of UNITS) {
      const count = Math.floor(span / size);
      if (count) said.push(`${count}${name}`);
      span -= count * size;
    }
    return said.join("") || "0s";
  }

  function inTurn(act) {
    busy(1);
    const turn = waiting.then(act).finally(() => busy(-1));
    waiting = turn.catch(() => {});
    return turn;
  }

  function busy(more) {
    turns += more;
    document.querySelector("main").setAttribute("aria-busy", String(turns > 0));
  }

  /** Let the server play this; then it is what is played. */
  async function take(next, key = who) {
    const came = await ask("play", { ...next, who: key });
    [played, answer, who] = [next, came, came.who];
    keep();
    told();
  }

  /** Keep all of it for a reload; of a long story fewer changes that can be undone. Never is an
      older story left there. */
  function keep() {
    const now = { file: about, played, who };
    let room = ROOM - JSON.stringify(now).length;
    const newest = (all) => {
      const first = all.findLastIndex((each) => (room -= JSON.stringify(each).length) < 0);
      return all.slice(first + 1);
    };
    unkept = !stored({ ...now, past: newest(past), future: newest(future) }) && !stored({ ...now, past: [], future: [] });
  }

  /** Whether this browser keeps it; if not, nothing is kept. */
  function stored(story) {
    try {
      sessionStorage.removeItem(KEPT);
      sessionStorage.setItem(KEPT, JSON.stringify(story));
      return true;
    } catch {
      return false;
    }
  }

  const change = (made) => inTurn(async () => {
    const before = copy(played), next = copy(played);
    made(next, answer);
    if (same(before, next)) return;
    const [were, later] = [past, future];
    [past, future] = [[...past, before].slice(-MOST), []];
    try {
      await take(next);
    } catch (error) {
      [past, future] = [were, later];
      throw error;
    }
  });

  /** With whom, as a step says it: what is usual is left out. */
  function key() {
    const said = {};
    if (who.contact !== "customer") said.contact = who.contact;
    if (who.number !== "business") said.number = who.number;
    return said;
  }

  /** What `made` gives arrives now. */
  const arrive = (made) => change((next, came) => {
    const { steps } = next.scenario, step = made(came, lengthText(came.now.offset), steps);
    // A look at this very moment that nobody wrote by hand says nothing beside what happens in it.
    const look = { at: lengthText(came.now.offset), ...key() };
    if (steps.length && same(steps[steps.length - 1], look)) steps.pop();
    steps.push(step);
  });

  /** A step with this actor. It happened `away` milliseconds ago; below zero it is dated so much
      ahead. */
  const happen = (actor, away = 0) => arrive(({ now }, here) => {
    if (away > now.offset) {
      throw new Error("That is before the story starts. Let time pass first, or choose less.");
    }
    const when = away ? { at: lengthText(now.offset - away), arrives: here } : { at: here };
    return { ...when, ...key(), ...actor };
  });

  /** The step has an id by which others can name it. Nobody having given it one, that is no position,
      which a step put above it would change; what named it by its position follows. */
  function identify(steps, told, index) {
    if (steps[index].id) return;
    const taken = new Set(told.map(({ id }) => id)), position = told[index].id;
    let count = 1;
    while (taken.has(`m${count}`)) count += 1;
    steps[index].id = `m${count}`;
    const follow = (said, key) => {
      const [base, ...shift] = typeof said?.[key] === "string" ? said[key].split(" ") : [];
      if (base === position) said[key] = [steps[index].id, ...shift].join(" ");
    };
    for (const step of steps) {
      for (const key of ["at", "arrives"]) follow(step, key);
      for (const key of ["window_closes_at", "free_form_until"]) follow(step.expect, key);
      follow(step.platform, "message");
    }
  }

  /** A message or call that came before comes once more: its step, with its id, arrives now. */
  const again = (index) => arrive(({ pictures, steps: told, now }, here, steps) => {
    identify(steps, told, index);
    const { expect, note, arrives, ...repeated } = steps[index];
    const mark = pictures[0].bands.flatMap((band) => band.marks).find((each) => each.index === index);
    const at = Date.parse(mark.at) - Date.parse(now.at) + now.offset;
    return { ...repeated, at: lengthText(at), arrives: here };
  });

  /** WhatsApp reports that what this step sent has failed. */
  const fail = (index, code) => arrive(({ steps: told }, here, steps) => {
    identify(steps, told, index);
    return { at: here, ...key(), platform: { failed: code, message: steps[index].id } };
  });

  /** So many milliseconds pass; or all up to so many after the start. */
  const pass = (span, upto = null) => change((next, { now }) => {
    const offset = upto === null ? now.offset + span : upto;
    if (offset > now.offset) next.scenario.steps.push({ at: lengthText(offset), ...key() });
  });

  /** Go to what was played before, or drop the last step where nothing is known of before. */
  const undo = () => inTurn(async () => {
    const { steps } = played.scenario, before = copy(played);
    let next = past[past.length - 1];
    if (!next) {
      if (!steps.length) return;
      next = copy(played);
      next.scenario.steps.pop();
    }
    await take(next);
    past = past.slice(0, -1);
    future.push(before);
    keep();
    told();
  });

  const redo = () => inTurn(async () => {
    if (!future.length) return;
    const before = copy(played);
    await take(future[future.length - 1]);
    future = future.slice(0, -1);
    past.push(before);
    keep();
    told();
  });

  /** Begin with something else; what was played can be had back by undo. */
  const open = (next, fresh = false) => inTurn(async () => {
    const before = played;
    const first = next.scenario.steps.find((step) => step.customer || step.business) || {};
    const [were, later] = [past, future];
    [past, future] = [fresh || !before || !before.scenario.steps.length ? [] : [copy(before)], []];
    try {
      await take(
        { scenario: copy(next.scenario), policies: copy(next.policies) },
        { contact: first.contact || "customer", number: first.number || "business" },
      );
    } catch (error) {
      [past, future] = [were, later];
      throw error;
    }
  });

  const meet = (key) => inTurn(() => take(played, key));

  /** What this tab played before it was loaded anew, or null. */
  function kept(file) {
    about = file;
    try {
      const had = JSON.parse(sessionStorage.getItem(KEPT));
      return had && had.file === file ? had : null;
    } catch {
      return null;
    }
  }

  const restore = (had) => inTurn(async () => {
    [past, future] = [had.past, had.future];
    await take(had.played, had.who);
  });

  /** Play something else in the place of what cannot be played, which undo tries once more. */
  const instead = (next, had) => inTurn(async () => {
    [past, future] = [[...had.past, copy(had.played)], []];
    await take({ scenario: copy(next.scenario), policies: copy(next.policies) }, { number: "business", contact: "customer" });
  });

  return {
    ask, change, happen, again, fail, pass, undo, redo, open, meet, kept, restore, instead, Mistakes,
    settled: () => waiting, // resolves when all changes so far are made
    listen: (listener) => { told = listener; },
    get played() { return played; },
    get answer() { return answer; },
    get who() { return who; },
    get canUndo() { return past.length > 0 || (played !== null && played.scenario.steps.length > 0); },
    get canRedo() { return future.length > 0; },
    get unkept() { return unkept; }, // whether a reload would lose it
  };
})();
