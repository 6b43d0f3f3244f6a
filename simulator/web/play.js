"use strict";
/* Puts the parts of the page together. */
(async () => {
  const { by, calmly } = playView;
  const UNKEPT = "This browser does not keep the story: a reload of the page would lose it. Save it before you go on.";
  let words = null, warned = false;

  const trouble = (text) => calmly(() => {
    by("trouble").hidden = !text;
    by("trouble").textContent = text || "";
    if (text) by("trouble").scrollIntoView({ block: "nearest" });
  });

  /** Do it, and say so where it cannot be done. */
  async function tried(act) {
    try {
      trouble("");
      await act();
    } catch (error) {
      trouble(reason(error));
    }
  }

  /** Of a step that was not taken: what was wrong, not where it would stand. */
  function reason(error) {
    if (!(error instanceof playStory.Mistakes)) return error.message;
    const texts = error.mistakes.map(({ text, source }) => `${text}${source ? ` (in “${source}”)` : ""}`);
    return `That cannot be: ${[...new Set(texts)].join("; ")}.`;
  }

  function show() {
    const { answer } = playStory;
    trouble(playStory.unkept && !warned ? UNKEPT : "");
    warned = playStory.unkept;
    const acts = {
      back: (index) => tried(() => playStory.change((next) => { next.scenario.steps.splice(index + 1); })),
      note: (index, text) => tried(() => playStory.change((next) => {
        const step = next.scenario.steps[index];
        if (text) step.note = text; else delete step.note;
      })),
    };
    playView.keepFocus(() => {
      playActs.show(answer);
      playView.show(answer, acts);
      by("undo").disabled = !playStory.canUndo;
      by("redo").disabled = !playStory.canRedo;
    });
    document.title = `${playStory.played.scenario.scenario} – Window simulator`;
  }

  function keys(event) {
    const writing = event.target.closest("input:not([type=checkbox]), textarea, dialog");
    if (writing || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    const act = key === "y" || (key === "z" && event.shiftKey) ? playStory.redo : key === "z" ? playStory.undo : null;
    if (!act) return;
    event.preventDefault();
    tried(act);
  }

  /** Today at nine o'clock here, with the offset that holds then. */
  function nine() {
    const day = new Date();
    day.setHours(9, 0, 0, 0);
    const away = -day.getTimezoneOffset(), size = Math.abs(away), two = (number) => String(number).padStart(2, "0");
    const date = `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
    return `${date}T09:00:00${away < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  }

  /** Begin with what this tab played, or else with what was opened. Where that cannot be played,
      with an empty story by rules that are always there. */
  async function begin(had, opened) {
    try {
      await (had ? playStory.restore(had) : playFiles.take(opened, true));
    } catch (error) {
      const empty = { ...words.fresh, policies: [words.policies[0].name] };
      await playStory.instead(empty, had || { played: opened, past: [] });
      throw new Error(`${reason(error)} So you begin with an empty story. When that is mended, Undo brings back what you had.`);
    }
  }

  await tried(async () => {
    words = await playStory.ask("begin", { start: nine(), timezone: Intl.DateTimeFormat().resolvedOptions().timeZone || "" });
    playView.begin(words);
    playActs.begin(words, tried);
    playFiles.begin(words, trouble);
    playStory.listen(() => calmly(show));
    by("undo").addEventListener("click", () => tried(playStory.undo));
    by("redo").addEventListener("click", () => tried(playStory.redo));
    by("new").addEventListener("click", () => tried(() => playStory.open(words.fresh)));
    document.addEventListener("keydown", keys);
    const had = playStory.kept(words.file);
    await begin(had, words.opened[0] || words.fresh);
    if (!had && words.opened.length > 1) {
      playFiles.showOpen();
      await playFiles.choose(words.opened);
    }
  });
})();
