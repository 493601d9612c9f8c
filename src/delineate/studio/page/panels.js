// What the right side shows of what the server last said. Nothing is remembered here.

import { byId, made } from "./dom.js";

const TELLING = /\bDice\b|^the model of step|held out/;

// Work that goes on: how far it is, how the loss went, what is left.
export function showProgress(work) {
  byId("doing").textContent = work.now || work.what;
  if (work.share === null) byId("share").removeAttribute("value"); else byId("share").value = work.share;
  byId("curve").toggleAttribute("hidden", work.curve.length < 2);
  drawCurve(work.curve);
  const last = work.curve.at(-1);
  byId("numbers").textContent = [
    work.remaining !== null && `${minutes(work.remaining)} left`,
    last && `step ${last[0]}, loss ${last[1].toFixed(3)}`,
    work.dice !== null && `validation Dice ${work.dice.toFixed(3)}`,
  ].filter(Boolean).join(", ");
}

const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function drawCurve(curve) {
  if (curve.length < 2) return;
  const most = Math.max(...curve.map(([, loss]) => loss)), end = curve.at(-1)[0];
  const points = curve.map(([step, loss]) => `${(260 * step / end).toFixed(1)},${(57 - 54 * loss / most).toFixed(1)}`);
  document.querySelector("#curve polyline").setAttribute("points", points.join(" "));
}

// What the training of a round (undefined: none yet) said of its model, and all that was told, by the latest work as well.
export function showSaid(chosen, work) {
  const since = work?.what === "training" ? [] : work?.lines ?? [];
  const lines = work?.running ? work.lines : [...(chosen?.said ?? []), ...since];
  if (byId("lines").childElementCount !== lines.length) byId("lines").replaceChildren(...lines.map((text) => made("li", { textContent: text })));
  if (!chosen) return;
  const telling = chosen.said.filter((line) => TELLING.test(line)).slice(-2);
  byId("headline").textContent = telling.map((line) => line.replace(/ \(--[^)]*\)$/, "")).join(". "); // no options of the command line
}

// Where models and masks lie, and links to reports.
export function showResults(rounds) {
  const items = rounds.flatMap(({ number, pages, outlined, model }) => [
    made("li", {}, `Round ${number}: model in ${model}`),
    ...outlined.map((folder) => made("li", {}, `masks in ${folder}`)),
    ...Object.entries(pages).map(([name, path]) => made("li", {},
      made("a", { href: `/rounds/${path}`, target: "_blank", textContent: `${name} of round ${number}` }))),
  ]);
  if (byId("results").childElementCount !== items.length) byId("results").replaceChildren(...items);
}
