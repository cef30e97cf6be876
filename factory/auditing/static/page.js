// The page of an audit. Everything that comes from the server is set as text, never as markup.
"use strict";

const by = id => document.getElementById(id);
const WORDS = {1: "right", r: "right", 2: "wrong", w: "wrong", 3: "unsure", u: "unsure"};
const AGAIN = 3000;

let state = {items: 0, labels: {}, waiting: 0};
let item = null;        // the one that is shown
let drafts = {};        // notes by number that were not sent with a label yet
let history = [];       // numbers in the order they were labelled, for undo
let unsent = null;      // {number, label, note} that the server has not taken yet
let moving = false;     // another one is on its way: a key meant for it must not label the old one

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(told.error), {status: answer.status});
  return told;
}

// --- showing

function progress() {
  const done = Object.keys(state.labels).length;
  by("progress").max = Math.max(state.items, 1);
  by("progress").value = done;
  by("progress-text").textContent = `${done} of ${state.items} labelled by you`;
}

function notice(text, bad = false) {
  by("notice").textContent = text;
  by("notice").className = bad ? "bad" : "";
  by("notice").hidden = !text;
}

function saved(text, bad = false) {
  if (by("saved").textContent !== text) by("saved").textContent = text;
  by("saved").className = bad ? "bad" : "";
}

function whereLabelsAre() {
  if (!state.waiting) return "Saved in the store.";
  const many = state.waiting === 1 ? "1 label is" : `${state.waiting} labels are`;
  return `${many} safe on the disk and not in the store yet: another process is writing it. ` +
    "They go in by themselves as soon as it ends.";
}

function pressed() {
  const label = item && state.labels[item.number];
  for (const one of document.querySelectorAll("[data-label]")) {
    one.setAttribute("aria-pressed", String(one.dataset.label === label));
    one.disabled = unsent !== null;
  }
  by("back").disabled = !item || item.number <= 1;
  by("on").disabled = !item || item.number >= state.items;
  by("undo").disabled = !history.length;
}

function hideGold() {
  by("gold").hidden = true;
  by("gold").textContent = "";
  by("gold-button").setAttribute("aria-expanded", "false");
  by("gold-text").textContent = item.code ? "Show the unit tests" : "Show the reference answer";
}

function steps() {
  by("steps").replaceChildren(...item.steps.map(one => {
    const line = document.createElement("li"), number = document.createElement("span");
    const text = document.createElement("span");
    number.className = "number";
    number.textContent = one.number;
    text.dir = "auto";
    for (const [part, equation] of one.parts) {
      const piece = document.createElement("span");
      if (equation) piece.className = "equation";
      piece.textContent = part;
      text.append(piece);
    }
    line.append(number, text);
    return line;
  }));
  by("empty").hidden = item.steps.length > 0;
}

async function show(number, focus = true) {
  keepDraft();
  moving = true;
  try {
    item = await ask(`items/${number}`);
  } catch (error) {
    notice(`Solution ${number} could not be had (${error.message}). Is the audit still running?`, true);
    return;
  } finally {
    moving = false;
  }
  by("item").hidden = false;
  by("item").className = item.code ? "code" : "";
  by("place").textContent = `Solution ${item.number} of ${state.items}`;
  by("problem").textContent = item.problem;
  by("note").value = drafts[number] ?? item.note;
  by("gold-button").hidden = !item.has_gold;
  hideGold();
  steps();
  pressed();
  window.scrollTo(0, 0);
  if (focus) by("place").focus({preventScroll: true});
}

// --- doing

function keepDraft() {
  if (!item) return;
  if (by("note").value.trim() !== item.note) drafts[item.number] = by("note").value;
  else delete drafts[item.number];
}

function nextOpen(from) {
  for (let step = 1; step <= state.items; step++) {
    const number = (from - 1 + step) % state.items + 1;
    if (!(number in state.labels)) return number;
  }
  return null;
}

function label(word) {
  if (!item || unsent || moving) return;
  const before = state.labels[item.number];
  unsent = {number: item.number, label: word, note: by("note").value, move: before !== word || before === undefined};
  saved("Saving");
  pressed();
  send();
}

async function send() {
  const {number, move} = unsent;
  let told;
  try {
    told = await ask(`items/${number}/label`, {label: unsent.label, note: unsent.note});
  } catch (error) {
    if (error.status >= 400 && error.status < 500) {
      unsent = null;
      saved(`Not saved: ${error.message}`, true);
      pressed();
      return;
    }
    saved(`Not saved yet (${error.message}). The label is kept in this page, which tries again.`, true);
    setTimeout(send, AGAIN);
    return;
  }
  unsent = null;
  delete drafts[number];
  history = history.filter(one => one !== number).concat(number);
  state = {items: told.items, labels: told.labels, waiting: told.waiting};
  if (item.number === number) {
    item.note = told.note;
    item.label = told.label;
  }
  progress();
  saved(`Solution ${number}: ${told.label}. ${whereLabelsAre()}`);
  const next = nextOpen(number);
  if (next === null) {
    notice(`All ${state.items} are labelled by you. Stop the audit in its terminal with ctrl-C, ` +
      "or look at any of them again.");
  }
  if (item.number === number && move && next !== null) show(next);
  else pressed();
}

function noteLeft(event) {
  if (!item || unsent || event.relatedTarget?.dataset.label) return;  // a label's button sends the note too
  const word = state.labels[item.number];
  if (word && by("note").value.trim() !== item.note) label(word);
}

async function gold() {
  if (!item || !item.has_gold || moving) return;
  if (!by("gold").hidden) {
    hideGold();
    return;
  }
  const asked = item.number;
  const told = await ask(`items/${asked}/gold`);
  if (item.number !== asked || moving) return;
  by("gold").textContent = told.gold;
  by("gold").hidden = false;
  by("gold-button").setAttribute("aria-expanded", "true");
  by("gold-text").textContent = item.code ? "Hide the unit tests" : "Hide the reference answer";
}

function go(step) {
  const to = item ? item.number + step : 1;
  if (!unsent && !moving && to >= 1 && to <= state.items) show(to);
}

function undo() {
  const last = unsent || moving ? undefined : history.pop();
  if (last === undefined) return;
  show(last).then(() => saved(`Back at solution ${last}: label it again.`));
}

function help() {
  if (by("help").open) by("help").close();
  else by("help").showModal();
}

// --- keys and clicks

const KEYS = {
  n: () => by("note").focus(), g: gold, z: undo, "?": help,
  j: () => go(1), ArrowRight: () => go(1), k: () => go(-1), ArrowLeft: () => go(-1),
};

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.target === by("note")) {
    if (event.key === "Escape") by("place").focus();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (by("help").open && key !== "?") return;
  const does = key in WORDS ? () => label(WORDS[key]) : KEYS[key];
  if (!does) return;
  event.preventDefault();
  if (!event.repeat || key.startsWith("Arrow")) does();
});

for (const one of document.querySelectorAll("[data-label]")) {
  one.addEventListener("click", () => label(one.dataset.label));
}
by("note").addEventListener("blur", noteLeft);
by("gold-button").addEventListener("click", gold);
by("help-button").addEventListener("click", help);
by("help-close").addEventListener("click", help);
by("back").addEventListener("click", () => go(-1));
by("on").addEventListener("click", () => go(1));
by("undo").addEventListener("click", undo);
window.addEventListener("beforeunload", event => {
  keepDraft();
  if (unsent || Object.keys(drafts).length) event.preventDefault();
});

setInterval(async () => {
  if (!state.waiting || unsent) return;
  try {
    state = await ask("state");
  } catch {
    return;  // the next label says so
  }
  saved(whereLabelsAre());
}, 2000);

(async () => {
  try {
    state = await ask("state");
  } catch (error) {
    notice(`The audit does not answer (${error.message}).`, true);
    return;
  }
  progress();
  if (state.waiting) saved(whereLabelsAre());
  const next = nextOpen(state.items);
  if (next === null) notice(`All ${state.items} are labelled by you. Look at any of them again as you like.`);
  await show(next ?? 1, false);
})();
