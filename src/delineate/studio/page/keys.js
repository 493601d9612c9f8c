// The keyboard. Whoever types a name or moves a slider is left alone.

import { byId } from "./dom.js";

// keys: what each does. choose(number from 0): a class. undo, redo. hold(whether): the space bar. peek(whether): H.
export function listen({ keys, choose, undo, redo, hold, peek }) {
  document.addEventListener("keydown", (event) => {
    const { target, ctrlKey, metaKey, altKey } = event;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName) && !["range", "checkbox"].includes(target.type)) return;
    if ((ctrlKey || metaKey) && key === "z") {
      event.preventDefault();
      if (event.shiftKey) redo(); else undo();
    } else if (ctrlKey || metaKey || altKey) {
      return;
    } else if (key === " ") {
      if (target !== document.body && !byId("stage").contains(target)) return;
      event.preventDefault();
      hold(true);
    } else if (key === "h") {
      peek(true);
    } else if (/^[1-9]$/.test(key)) {
      choose(Number(key) - 1);
    } else if (keys[key] && target.type !== "range") {
      event.preventDefault();
      keys[key]();
    }
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " ") hold(false);
    if (event.key.toLowerCase() === "h") peek(false);
  });
  addEventListener("blur", () => { hold(false); peek(false); });
}
