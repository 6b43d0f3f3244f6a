"use strict";
/* Puts the parts of the page together. */
(async () => {
  const { by } = playView;
  const UNKEPT = "This browser does not keep the story: a reload of the page would lose it. Save it before you go on.";
  let words = null, warned = false;

  function trouble(text) {
    by("trouble").hidden = !text;
    by("trouble").textContent = text || "";
    if (text) by("trouble").scrollIntoView({ block: "nearest" });
  }

  /** Do it, and say so where it cannot be done. */
  async function tried(act) {
    try {
      trouble("");
      await act();
    } catch (error) {
      trouble(error instanceof playStory.Mistakes ? refused(error) : error.message);
    }
  }

  /** Mistakes of a step that was not taken: what was meant, not where it would stand. */
  function refused({ mistakes }) {
    const texts = mistakes.map(({ text, source }) => `${text}${source ? ` (in “${source}”)` : ""}`);
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
    });
    by("undo").disabled = !playStory.canUndo;
    by("redo").disabled = !playStory.canRedo;
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

  await tried(async () => {
    words = await playStory.ask("begin", { start: nine(), timezone: Intl.DateTimeFormat().resolvedOptions().timeZone || "" });
    playView.begin(words);
    playActs.begin(words, tried);
    playFiles.begin(words, trouble);
    playStory.listen(show);
    by("undo").addEventListener("click", () => tried(playStory.undo));
    by("redo").addEventListener("click", () => tried(playStory.redo));
    by("new").addEventListener("click", () => tried(() => playStory.open(words.fresh)));
    document.addEventListener("keydown", keys);
    const had = playStory.kept(words.file);
    if (had) await playStory.restore(had);
    else await playFiles.take(words.opened[0] || words.fresh, true);
    if (!had && words.opened.length > 1) {
      playFiles.showOpen();
      await playFiles.choose(words.opened);
    }
  });
})();
