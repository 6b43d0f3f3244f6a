"use strict";
/* Opening and saving scenarios. */
const playFiles = (() => {
  const { make, by, calmly } = playView;
  const opening = by("open-dialog"), saving = by("save-dialog"), form = by("save-form");
  const LARGEST = 1000000;
  let words = null, named = false, say = () => {};

  const trouble = (dialog, text) => calmly(() => {
    const note = dialog.querySelector(".dialog-trouble");
    note.hidden = !text;
    note.textContent = text || "";
  });

  async function within(dialog, act) {
    trouble(dialog, "");
    try {
      await act();
    } catch (error) {
      trouble(dialog, error instanceof playStory.Mistakes ? mistakes(error) : error.message);
    }
  }

  const mistakes = ({ mistakes: all }) => ["This scenario cannot be used:",
    ...all.map(({ file, line, column, text, source }) => `${file}, line ${line}, column ${column}: ${text}${source ? `\n    ${source}` : ""}`)].join("\n");

  function on(id, act) {
    by(id).addEventListener("submit", (event) => {
      event.preventDefault();
      within(event.target.closest("dialog"), () => act(event.target.elements, event.submitter));
    });
  }

  // -- opening -----------------------------------------------------------------------------------

  /** Play a scenario that was found; what of it the page has no room for is said. */
  async function take(found, fresh = false) {
    await playStory.open(found, fresh);
    opening.close();
    const left = (found.left_out || []).map((each) => each.name || each).join(", ");
    if (left) say(`The scenario names more than two policies. These are not shown, and not saved: ${left}.`);
  }

  async function choose(found) {
    if (found.length === 1) {
      await take(found[0]);
      return;
    }
    const choice = by("open-choice");
    choice.hidden = false;
    choice.querySelector("ul").replaceChildren(...found.map((each) => make("li", {},
      make("button", { type: "button", onclick: () => within(opening, () => choose([each])) }, each.scenario.scenario))));
    choice.querySelector("button").focus();
  }

  async function load(question) {
    if ((question.text || "").length > LARGEST) throw new Error("That is too large: the page takes files up to 1 MB.");
    by("open-choice").hidden = true;
    const { played } = await playStory.ask("load", { ...question, policies: playStory.played.policies });
    await choose(played);
  }

  function showOpen() {
    trouble(opening, "");
    by("open-choice").hidden = true;
    opening.showModal();
  }

  function shipped(names) {
    const groups = new Map();
    for (const name of names) {
      const [, folder, file] = name.split("/");
      if (!groups.has(folder)) groups.set(folder, []);
      const title = file.replace(/\.ya?ml$/, "").replaceAll("-", " ");
      groups.get(folder).push(make("option", { value: name }, title.charAt(0).toUpperCase() + title.slice(1)));
    }
    const about = (folder) => words.policies.find((each) => each.name === folder)?.title || folder;
    return [...groups].map(([folder, options]) => make("optgroup", { label: `${about(folder)} (${folder})` }, ...options));
  }

  // -- saving ------------------------------------------------------------------------------------

  async function preview() {
    const made = await playStory.ask("file", { ...playStory.played, all_steps: form.elements.all.checked });
    if (!named && made.name) form.elements.name.value = made.name;
    trouble(saving, made.told);
    calmly(() => showMade(made));
    return made;
  }

  function showMade({ told, text, replaced }) {
    for (const button of form.querySelectorAll("button")) button.disabled = Boolean(told);
    by("save-text").textContent = text || "";
    const count = (replaced || []).length;
    by("save-replaced").hidden = !count;
    by("save-replaced").textContent = `At ${count === 1 ? "one step" : `${count} steps`} the opened file expected something else. What came is written instead.`;
  }

  async function showSave() {
    await playStory.settled();
    named = false;
    done("");
    form.elements.title.value = playStory.played.scenario.scenario;
    saving.showModal();
    await within(saving, preview);
    form.elements.title.select();
  }

  const done = (text) => calmly(() => {
    by("save-done").hidden = !text;
    by("save-done").textContent = text;
  });

  function retitle() {
    const title = form.elements.title.value.trim();
    return title ? playStory.change((next) => { next.scenario.scenario = title; }) : Promise.resolve();
  }

  async function save(fields, button) {
    done("");
    await retitle();
    const made = await preview();
    if (!made.text) return;
    const name = fields.name.value.trim();
    if (button?.value === "folder") {
      const { saved, told } = await playStory.ask("save", { ...playStory.played, all_steps: fields.all.checked, name });
      if (told) throw new Error(told);
      done(`Saved as ${saved}. To run it: wa-sim run "${name}"`);
      return;
    }
    const link = make("a", { href: URL.createObjectURL(new Blob([made.text], { type: "application/yaml" })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    done(`Downloaded as ${name}. Send it to your engineers, or run it: wa-sim run "${name}"`);
  }

  function begin(all, tell) {
    [words, say] = [all, tell];
    by("open-shipped").elements.shipped.replaceChildren(...shipped(words.shipped));
    on("open-shipped", (fields) => load({ shipped: fields.shipped.value }));
    on("open-file", async (fields) => {
      const [file] = fields.file.files;
      await load({ name: file.name, text: await file.text() });
      fields.file.value = "";
    });
    on("open-text", (fields) => load({ name: "the pasted text", text: fields.text.value }));
    on("save-form", save);
    form.elements.name.addEventListener("input", () => { named = true; });
    form.elements.all.addEventListener("change", () => within(saving, preview));
    form.elements.title.addEventListener("change", () => within(saving, async () => { await retitle(); await preview(); }));
    by("save-folder").textContent = `The folder of wa-sim is ${words.folder}.`;
    for (const button of document.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => button.closest("dialog").close());
    }
    by("open").addEventListener("click", showOpen);
    by("save").addEventListener("click", showSave);
  }

  return { begin, take, choose, showOpen, mistakes };
})();
