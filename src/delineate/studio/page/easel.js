// The picture one draws on: layers of the size of the image, moved and scaled together; pen, eraser, undo.

import { KEEP, UNLABELLED, cut, joined, paintOutlines, paintStrokes, paintUnsure, pasted, stamp } from "./layers.js";

const LAYERS = ["picture", "unsure", "outlines", "strokes"];
const MOST_UNDONE = 100;

export class Easel {
  // onDrawn({top, left, height, width}, values) after each stroke; onWhere(text) while the pointer moves.
  constructor(stage, { onDrawn, onWhere, onUndo }) {
    Object.assign(this, { stage, onDrawn, onWhere, onUndo });
    this.world = this.#element("div", "world");
    this.canvas = Object.fromEntries(LAYERS.map((name) => [name, this.#element("canvas", `layer-${name}`, this.world)]));
    this.frame = this.#element("div", "frame"); // these two are not scaled: their lines stay thin
    this.pen = this.#element("div", "pen");
    this.frame.hidden = this.pen.hidden = true;
    this.width = this.height = 0;
    this.size = 3; this.label = 1; this.erasing = false; this.locked = true;
    this.scale = 1; this.x = this.y = 0;
    this.done = []; this.undone = [];
    this.pointer = null;
    this.#listen();
  }

  #element(kind, id, parent = this.stage) {
    const made = document.createElement(kind);
    made.id = id;
    parent.append(made);
    return made;
  }

  // A picture (ImageBitmap) with its labels; locked: not to be drawn on.
  show({ picture, labels, colours, locked, keepView }) {
    const sameSize = picture.width === this.width && picture.height === this.height;
    this.width = picture.width; this.height = picture.height;
    Object.assign(this, { labels, colours, locked });
    for (const name of LAYERS) {
      const canvas = this.canvas[name];
      canvas.width = this.width; canvas.height = this.height; // which also empties it
    }
    this.world.style.width = `${this.width}px`; this.world.style.height = `${this.height}px`;
    this.canvas.picture.getContext("2d").drawImage(picture, 0, 0);
    this.stage.classList.toggle("locked", locked);
    this.done = []; this.undone = []; this.onUndo(0, 0);
    this.region = null;
    this.drawing = this.moving = null;
    this.recolour(colours);
    if (keepView && sameSize) this.#place(); else this.fit();
  }

  recolour(colours) {
    this.colours = colours;
    if (!this.width) return;
    this.pixels = new ImageData(this.width, this.height);
    if (this.locked) paintOutlines(this.pixels, this.labels, colours);
    else paintStrokes(this.pixels, this.labels, colours, this.#whole());
    this.canvas.strokes.getContext("2d").putImageData(this.pixels, 0, 0);
  }

  // What a model says: classes and how unsure it is, each a byte per pixel; null: nothing.
  predicted(labels, unsure) {
    for (const [name, paint, values] of [["outlines", paintOutlines, labels], ["unsure", paintUnsure, unsure]]) {
      const pen = this.canvas[name].getContext("2d");
      pen.clearRect(0, 0, this.width, this.height);
      if (!values) continue;
      const image = new ImageData(this.width, this.height);
      paint(image, values, this.colours);
      pen.putImageData(image, 0, 0);
    }
  }

  visible(name, shown) { this.canvas[name].style.visibility = shown ? "" : "hidden"; }

  light(brightness, contrast) { this.canvas.picture.style.filter = `brightness(${brightness}%) contrast(${contrast}%)`; }

  fit() { this.#look(0, 0, this.width, this.height, 0.96); }

  // Frame a region, first and past-last row and column, and go there.
  point([top, left], [bottom, right]) {
    this.region = { left, top, right, bottom };
    const around = 0.4 * Math.max(right - left, bottom - top);
    this.#look(left - around, top - around, right + around, bottom + around, 1);
  }

  undo() { this.#back(this.done, this.undone, "before"); }
  redo() { this.#back(this.undone, this.done, "after"); }

  #back(from, to, which) {
    if (this.drawing) return;
    const patch = from.pop();
    if (!patch) return;
    to.push(patch);
    pasted(this.labels, this.width, patch.box, patch[which]);
    this.#repaint(patch.box);
    this.#tell(patch.box, patch[which]);
  }

  #tell(box, values) {
    this.onUndo(this.done.length, this.undone.length);
    this.onDrawn({ row: box.top, column: box.left, height: box.bottom - box.top, width: box.right - box.left }, values);
  }

  #whole() { return { left: 0, top: 0, right: this.width, bottom: this.height }; }

  #look(left, top, right, bottom, share) {
    const { clientWidth: across, clientHeight: down } = this.stage;
    if (!this.width || !across || !down) return;
    this.scale = share * Math.min(across / (right - left), down / (bottom - top));
    this.x = across / 2 - this.scale * (left + right) / 2;
    this.y = down / 2 - this.scale * (top + bottom) / 2;
    this.#place();
  }

  #place() {
    this.world.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.frame.hidden = !this.region;
    if (this.region) this.#over(this.frame, this.region);
    this.pen.hidden = true;
  }

  // Put an element over a box of the image.
  #over(element, { left, top, right, bottom }) {
    Object.assign(element.style, {
      left: `${this.x + this.scale * left}px`, top: `${this.y + this.scale * top}px`,
      width: `${this.scale * (right - left)}px`, height: `${this.scale * (bottom - top)}px`,
    });
  }

  #spot(event) {
    const edge = this.stage.getBoundingClientRect();
    return [(event.clientX - edge.left - this.x) / this.scale, (event.clientY - edge.top - this.y) / this.scale];
  }

  #repaint(box) {
    paintStrokes(this.pixels, this.labels, this.colours, box);
    this.canvas.strokes.getContext("2d").putImageData(
      this.pixels, 0, 0, box.left, box.top, box.right - box.left, box.bottom - box.top);
  }

  #line([x0, y0], [x1, y1]) {
    const far = Math.hypot(x1 - x0, y1 - y0), steps = Math.max(1, Math.ceil(far / Math.max(0.5, this.size / 4)));
    let box = null;
    for (let i = 0; i <= steps; i++) {
      const share = i / steps;
      box = joined(box, stamp(this.labels, this.width, this.height, x0 + share * (x1 - x0), y0 + share * (y1 - y0),
        this.size, this.drawing.label));
    }
    if (!box) return;
    this.drawing.box = joined(this.drawing.box, box);
    this.#repaint(box);
  }

  #listen() {
    const { stage } = this;
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("pointerdown", (event) => {
      if (!this.width || this.drawing || this.moving || [3, 4].includes(event.button)) return; // these two go back and forward
      this.pointer = event.pointerId;
      stage.focus(); stage.setPointerCapture(event.pointerId);
      if (event.button === 1 || this.holding || event.shiftKey) {
        event.preventDefault();
        this.moving = [event.clientX, event.clientY];
        stage.classList.add("moving");
        return;
      }
      if (this.locked) return;
      const erase = this.erasing || event.button === 2 || event.button === 5; // the other end of a pen
      this.drawing = { label: erase ? UNLABELLED : this.label, before: this.labels.slice(), box: null, last: this.#spot(event) };
      this.#line(this.drawing.last, this.drawing.last);
    });
    stage.addEventListener("pointermove", (event) => {
      if (!this.width || (this.pointer !== null && event.pointerId !== this.pointer)) return; // a second finger
      const [x, y] = this.#spot(event);
      this.pen.hidden = this.locked || Boolean(this.moving);
      const around = this.size / 2;
      this.#over(this.pen, { left: x - around, top: y - around, right: x + around, bottom: y + around });
      const inside = x >= 0 && y >= 0 && x < this.width && y < this.height;
      this.onWhere(inside ? `row ${Math.floor(y)}, column ${Math.floor(x)}` : "");
      if (this.moving) {
        this.x += event.clientX - this.moving[0]; this.y += event.clientY - this.moving[1];
        this.moving = [event.clientX, event.clientY];
        this.#place();
      } else if (this.drawing) {
        for (const each of event.getCoalescedEvents?.() ?? [event]) {
          const spot = this.#spot(each);
          this.#line(this.drawing.last, spot);
          this.drawing.last = spot;
        }
      }
    });
    this.end = () => {
      this.pointer = null;
      stage.classList.remove("moving");
      this.moving = null;
      const drawn = this.drawing;
      this.drawing = null;
      if (!drawn?.box) return;
      const after = cut(this.labels, this.width, drawn.box), before = cut(drawn.before, this.width, drawn.box);
      const changed = after.map((value, i) => value !== before[i]);
      if (!changed.includes(1)) return;
      for (const patch of [before, after]) patch.forEach((_, i) => { if (!changed[i]) patch[i] = KEEP; }); // others may draw in this box
      this.done.push({ box: drawn.box, before, after });
      if (this.done.length > MOST_UNDONE) this.done.shift();
      this.undone = [];
      this.#tell(drawn.box, after);
    };
    const lifted = (event) => { if (event.pointerId === this.pointer) this.end(); };
    stage.addEventListener("pointerup", lifted);
    stage.addEventListener("pointercancel", lifted);
    stage.addEventListener("lostpointercapture", lifted);
    stage.addEventListener("pointerleave", () => { this.pen.hidden = true; });
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (!this.width) return;
      const [x, y] = this.#spot(event), factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015));
      const scale = Math.min(64, Math.max(0.02, this.scale * factor));
      this.x += (this.scale - scale) * x; this.y += (this.scale - scale) * y;
      this.scale = scale;
      this.#place();
    }, { passive: false });
    new ResizeObserver(() => { if (this.width && !this.drawing) this.fit(); }).observe(stage);
  }
}
