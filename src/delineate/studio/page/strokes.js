// Strokes on their way to the disk, in the order in which they were drawn. What did not arrive is kept here and sent again.

import { Refused, put } from "./api.js";

const AGAIN_MS = 2000;

export class Strokes {
  // onKept(name, counts) after each that arrived; onChange() when there is something new to say.
  constructor({ onKept, onChange }) {
    Object.assign(this, { onKept, onChange });
    this.count = 0; this.waiting = []; this.failed = ""; this.sending = null; this.timer = null;
  }

  add(where, values) {
    this.count += 1;
    this.waiting.push([where, values]);
    this.#send();
    this.onChange();
  }

  // When all of them are on disk; raises Refused where one cannot be.
  async arrived() {
    while (this.waiting.length) {
      await this.#send();
      if (this.failed) throw new Refused(`what you drew last is not saved: ${this.failed}`);
    }
  }

  #send() {
    this.sending ??= this.#all().finally(() => { this.sending = null; });
    return this.sending;
  }

  async #all() {
    clearTimeout(this.timer);
    try {
      while (this.waiting.length) {
        const [where, values] = this.waiting[0];
        const { counts } = await put(where, values);
        this.waiting.shift();
        this.failed = "";
        this.onKept(where.name, counts);
        this.onChange();
      }
    } catch (error) {
      this.failed = error.message;
      this.timer = setTimeout(() => this.#send(), AGAIN_MS);
      this.onChange();
    }
  }
}
