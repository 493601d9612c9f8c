// The page: which image is shown, what is drawn on it, what is being done with it. Read `open` and `take`.

import { Refused, ask, bytes, picture, read } from "./api.js";
import { byId, colour, made } from "./dom.js";
import { Easel } from "./easel.js";
import { listen } from "./keys.js";
import { showProgress, showResults, showSaid } from "./panels.js";
import { Strokes } from "./strokes.js";
import { thumbnail } from "./thumbnails.js";

const BACKGROUND = [90, 150, 255]; // black strokes cannot be seen

let state = null; // what the server last said
let shown = { name: null, z: 0, about: null };
let region = -1;
let opening = 0, looking = 0, wanted = null;
let ended = 0; // number of the last work whose end was told
const strokes = new Strokes({ onKept: kept, onChange: said });
const easel = new Easel(byId("stage"), { onDrawn: save, onWhere: (text) => { byId("where").textContent = text; }, onUndo: undoable });

const colours = () => state.classes.map(({ colour: own }, label) => (label ? own : BACKGROUND));

async function tried(work) {
  try {
    await work();
    complain("");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    complain(error.message);
  }
}

function complain(sentence) {
  byId("error").hidden = !sentence;
  byId("error").textContent = sentence;
}

// ---- drawing, and keeping what is drawn

function save(box, values) {
  strokes.add({ name: shown.name, z: shown.z, ...box }, values);
}

function kept(name, counts) {
  if (counts) state.counts[name] = counts; else delete state.counts[name];
  listImages();
}

function said() {
  const { failed, waiting } = strokes;
  byId("saved").textContent = failed ? `not saved: ${failed}` : waiting.length ? "saving" : state?.counts[shown.name] ? "saved" : "";
  byId("saved").classList.toggle("bad", Boolean(failed));
}

function undoable(done, undone) {
  byId("undo").disabled = !done;
  byId("redo").disabled = !undone;
}

// ---- images

function listImages() {
  const list = byId("images");
  if (list.childElementCount !== state.images.length) {
    list.replaceChildren(...state.images.map((name) => {
      const button = made("button", { title: name, onclick: () => tried(() => open(name)) },
        thumbnail(name), made("span", { className: "name", textContent: name }),
        made("span", { className: "marks" }));
      button.dataset.name = name;
      return button;
    }));
  }
  for (const button of list.children) {
    const { name } = button.dataset, marks = button.lastElementChild;
    button.setAttribute("aria-current", name === shown.name);
    if (state.masked.includes(name)) { marks.textContent = "full mask"; continue; }
    const drawn = (state.counts[name] ?? []).flatMap((count, label) => (count ? [label] : []));
    marks.replaceChildren(...drawn.map((label) => {
      const dot = made("i", { title: state.classes[label]?.name });
      dot.style.background = colour(colours()[label]);
      return dot;
    }));
  }
}

// An image, at a slice (null: one that is drawn on), and a region to go to, where there is one.
async function open(name, z = null, frame = null) {
  const turn = ++opening;
  wanted = name;
  await strokes.arrived();
  const before = strokes.count;
  const about = await read("image", { name });
  const at = z ?? about.drawn[Math.floor(about.drawn.length / 2)] ?? Math.floor(about.depth / 2);
  const [image, labels] = await Promise.all([picture(name, at), bytes("labels", { name, z: at })]);
  if (turn !== opening) return; // something else was opened meanwhile
  const keepView = name === shown.name;
  easel.end(); // a stroke that is being drawn belongs to what was shown until now
  if (strokes.count > before && name === shown.name) return open(name, z, frame); // it may lack in these labels
  shown = { name, z: at, about };
  easel.show({ picture: image, labels, colours: colours(), locked: about.masked, keepView });
  if (frame) easel.point(...frame);
  note(about.masked ? "This image has a full mask, which is left as it is." : "");
  byId("slices").hidden = about.depth < 2;
  Object.assign(byId("slice"), { max: about.depth - 1, value: at });
  byId("slice-of").textContent = `${at + 1} of ${about.depth}`;
  listImages();
  document.querySelector("nav [aria-current=true]")?.scrollIntoView({ block: "nearest" });
  said();
  await look();
}

// The outlines of the chosen round on what is shown.
async function look() {
  const turn = ++looking;
  const number = Number(byId("round").value);
  if (!number || !shown.name) return;
  const { name, z, about } = shown, size = about.width * about.height;
  note("the model looks at this image");
  easel.predicted(null, null);
  try {
    const both = await bytes("predicted", { name, z, number });
    if (turn === looking) easel.predicted(both.subarray(0, size), both.subarray(size));
  } finally {
    if (turn === looking) note(about.masked ? "This image has a full mask, which is left as it is." : "");
  }
}

function note(text) {
  document.querySelector(".note")?.remove();
  if (text) byId("stage").append(made("div", { className: "note", textContent: text }));
}

// ---- classes

function listClasses() {
  const typing = [...byId("classes").querySelectorAll("input")].findIndex((input) => input === document.activeElement);
  const rows = state.classes.map(({ name }, label) => {
    const input = made("input", { type: "text", value: name, ariaLabel: `name of class ${label}` });
    const row = made("div", { className: "class" }, made("i"), input, made("kbd", { textContent: label < 9 ? label + 1 : "" }));
    row.firstElementChild.style.background = colour(colours()[label]);
    row.classList.toggle("on", label === easel.label && !easel.erasing);
    row.onclick = () => choose(label);
    input.onchange = () => rename(state.classes.map((one, i) => (i === label ? input.value : one.name)));
    input.onkeydown = (event) => { if (event.key === "Enter") input.blur(); };
    return row;
  });
  byId("classes").replaceChildren(...rows);
  byId("classes").querySelectorAll("input")[typing]?.select();
  byId("take-class").disabled = state.classes.length < 3;
}

function rename(names) {
  return tried(async () => {
    try {
      await strokes.arrived();
      take(await ask("classes", { names }));
      easel.recolour(colours());
    } finally {
      listClasses();
    }
  });
}

function choose(label) {
  easel.label = label;
  erase(false);
}

function erase(erasing) {
  easel.erasing = erasing;
  byId("eraser").classList.toggle("on", erasing);
  byId("brush").classList.toggle("on", !erasing);
  for (const [label, row] of [...byId("classes").children].entries()) row.classList.toggle("on", label === easel.label && !erasing);
}

// ---- what is being done

function take(next) {
  const before = state;
  state = next;
  byId("folder").textContent = state.folder;
  if (!before || JSON.stringify(before.classes) !== JSON.stringify(state.classes)) listClasses();
  listImages();
  showWork(before);
  if (!before || before.rounds.length !== state.rounds.length) showRounds();
  if (JSON.stringify(before?.regions) !== JSON.stringify(state.regions)) showRegions();
  showResults(state.rounds);
  showSaid(chosen(), state.work);
}

function showWork(before) {
  const { work } = state, running = Boolean(work?.running);
  byId("work").hidden = !running;
  byId("stop").hidden = !running;
  for (const id of ["train", "outline", "judge", "audit"]) byId(id).disabled = running || (id !== "train" && !state.rounds.length);
  for (const id of ["judge", "audit"]) byId(id).disabled ||= !state.test;
  byId("from-last").disabled = !state.rounds.length;
  byId("test").textContent = state.test ? `on ${state.test}` : "To test and audit, start with --test and a folder of other images with full masks.";
  if (work && !running && work.number !== ended) {
    if (before || work.error) complain(work.error);
    ended = work.number;
  }
  if (!running) return;
  ended = 0; // a server that was started again counts from 1 again
  showProgress(work);
}

function showRounds() {
  const choice = byId("round");
  choice.replaceChildren(...state.rounds.map(({ number }) => made("option", { value: number, textContent: number })).reverse());
  tried(() => look());
}

function showRegions() {
  region = -1;
  byId("next").disabled = !state.regions.length;
  byId("next").textContent = state.regions.length ? `Next of ${state.regions.length} regions` : "Next region";
}

const chosen = () => state.rounds.find(({ number }) => number === Number(byId("round").value));

async function nextRegion() {
  if (!state.regions.length) return;
  region = (region + 1) % state.regions.length;
  const { image, start, stop } = state.regions[region];
  await open(image, start.length > 2 ? start[0] : 0, [start.slice(-2), stop.slice(-2)]);
  byId("next").textContent = `Next region (${region + 1} of ${state.regions.length})`;
}

function begin(what, wanted) {
  return tried(async () => {
    try {
      if (what !== "stop") await strokes.arrived();
      take(await ask(what, wanted));
    } finally {
      poll(); // where something was begun in another tab, it can be stopped here
    }
  });
}

let polling = null;
async function poll() {
  clearTimeout(polling);
  try {
    take(await read("state"));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    complain(error.message);
  }
  if (state?.work?.running) polling = setTimeout(poll, 500);
}

// ---- what the person does

const number = () => Number(byId("round").value) || null;
byId("train").onclick = () => begin("train", { minutes: Number(byId("minutes").value), from_last: byId("from-last").checked && state.rounds.length > 0 });
byId("stop").onclick = () => begin("stop");
byId("outline").onclick = () => begin("outline", { number: number(), as: byId("as").value });
byId("judge").onclick = () => begin("judge", { number: number() });
byId("audit").onclick = () => begin("audit", { number: number() });
byId("round").onchange = () => { byId("lines").replaceChildren(); showSaid(chosen(), state.work); tried(() => look()); };
byId("next").onclick = () => tried(nextRegion);
byId("brush").onclick = () => erase(false);
byId("eraser").onclick = () => erase(true);
byId("undo").onclick = () => easel.undo();
byId("redo").onclick = () => easel.redo();
byId("fit").onclick = () => easel.fit();
byId("add-class").onclick = () => {
  let count = state.classes.length + 1; // its key
  while (state.classes.some(({ name }) => name === `class ${count}`)) count += 1;
  rename([...state.classes.map(({ name }) => name), `class ${count}`]).then(() => byId("classes").lastElementChild?.querySelector("input").select());
};
byId("take-class").onclick = () => rename(state.classes.slice(0, -1).map(({ name }) => name)).then(() => choose(Math.min(easel.label, state.classes.length - 1)));
for (const id of ["brightness", "contrast"]) byId(id).oninput = () => easel.light(byId("brightness").value, byId("contrast").value);
for (const name of ["strokes", "outlines", "unsure"]) byId(`show-${name}`).onchange = () => peek(false);
peek(false);
function widen(size) {
  byId("width").value = size;
  easel.size = Number(byId("width").value);
  byId("width-px").textContent = `${easel.size} px`;
}
byId("width").oninput = () => widen(byId("width").value);
byId("slice").onchange = () => tried(() => open(shown.name, Number(byId("slice").value)));
byId("slice").oninput = () => { byId("slice-of").textContent = `${Number(byId("slice").value) + 1} of ${shown.about.depth}`; };

function stepTo(by) {
  const at = state.images.indexOf(wanted) + by; // from what was asked for last: one that cannot be read is passed
  if (state.images[at]) tried(() => open(state.images[at]));
}

function sliceTo(by) {
  const z = shown.z + by;
  if (shown.about && z >= 0 && z < shown.about.depth) tried(() => open(shown.name, z));
}

function peek(beneath) {
  for (const name of ["strokes", "outlines", "unsure"]) easel.visible(name, !beneath && byId(`show-${name}`).checked);
}

listen({
  keys: {
    b: () => erase(false), e: () => erase(true), f: () => easel.fit(), n: () => tried(nextRegion),
    "[": () => widen(easel.size - 1), "]": () => widen(easel.size + 1),
    ArrowUp: () => stepTo(-1), ArrowDown: () => stepTo(1), PageUp: () => sliceTo(1), PageDown: () => sliceTo(-1),
  },
  choose: (label) => { if (label < state.classes.length) choose(label); },
  undo: () => easel.undo(),
  redo: () => easel.redo(),
  hold: (held) => { easel.holding = held; },
  peek,
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
addEventListener("beforeunload", (event) => { if (strokes.waiting.length) event.preventDefault(); });

await poll();
if (state) await tried(() => open(state.images.find((name) => state.counts[name]) ?? state.images[0]));
