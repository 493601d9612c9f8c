// Labels as colours: (height * width) bytes in, pixels out. No state.

export const UNLABELLED = 255, KEEP = 254; // KEEP in a patch: as it is
const STROKE = 150; // of 255: strokes let the image through
const INSIDE = 46;
const NO_CLASS = [255, 255, 255];

// Strokes inside a box of `image` (ImageData), from labels of the whole picture.
export function paintStrokes(image, labels, colours, box) {
  const { width, data } = image;
  for (let row = box.top; row < box.bottom; row++) {
    for (let at = row * width + box.left, end = row * width + box.right; at < end; at++) {
      const label = labels[at], pixel = 4 * at;
      if (label === UNLABELLED) { data[pixel + 3] = 0; continue; }
      const [red, green, blue] = colours[label] ?? NO_CLASS;
      data[pixel] = red; data[pixel + 1] = green; data[pixel + 2] = blue; data[pixel + 3] = STROKE;
    }
  }
}

// Outlines of all but background, two pixels wide where the picture is large, and a tint inside.
export function paintOutlines(image, labels, colours) {
  const { width, height, data } = image;
  data.fill(0);
  const reach = Math.max(width, height) > 1200 ? 2 : 1;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      const label = labels[at];
      if (label === 0 || label === UNLABELLED) continue;
      const differs = (column >= reach && labels[at - reach] !== label) || (column + reach < width && labels[at + reach] !== label)
        || (row >= reach && labels[at - reach * width] !== label) || (row + reach < height && labels[at + reach * width] !== label);
      const [red, green, blue] = colours[label] ?? NO_CLASS, pixel = 4 * at;
      data[pixel] = red; data[pixel + 1] = green; data[pixel + 2] = blue; data[pixel + 3] = differs ? 255 : INSIDE;
    }
  }
}

export function paintUnsure(image, unsure) {
  const { data } = image;
  for (let at = 0, pixel = 0; at < unsure.length; at++, pixel += 4) {
    data[pixel] = 255; data[pixel + 1] = 120; data[pixel + 2] = 0; data[pixel + 3] = unsure[at] * 0.85;
  }
}

// A disc of `size` pixels across around (x, y), in image pixels, set to `label`; returns the box that it touched, or null.
export function stamp(labels, width, height, x, y, size, label) {
  const radius = size / 2;
  const left = Math.max(0, Math.floor(x - radius)), right = Math.min(width, Math.ceil(x + radius) + 1);
  const top = Math.max(0, Math.floor(y - radius)), bottom = Math.min(height, Math.ceil(y + radius) + 1);
  if (left >= right || top >= bottom) return null;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const across = column + 0.5 - x, down = row + 0.5 - y;
      if (across * across + down * down <= radius * radius || (Math.floor(x) === column && Math.floor(y) === row)) {
        labels[row * width + column] = label;
      }
    }
  }
  return { left, right, top, bottom };
}

export function joined(one, other) {
  if (!one || !other) return one ?? other;
  return {
    left: Math.min(one.left, other.left), right: Math.max(one.right, other.right),
    top: Math.min(one.top, other.top), bottom: Math.max(one.bottom, other.bottom),
  };
}

export function cut(labels, width, box) {
  const across = box.right - box.left, values = new Uint8Array(across * (box.bottom - box.top));
  for (let row = box.top; row < box.bottom; row++) {
    values.set(labels.subarray(row * width + box.left, row * width + box.right), (row - box.top) * across);
  }
  return values;
}

export function pasted(labels, width, box, values) {
  const across = box.right - box.left;
  for (let row = box.top; row < box.bottom; row++) {
    const from = (row - box.top) * across;
    for (let column = 0; column < across; column++) {
      if (values[from + column] !== KEEP) labels[row * width + box.left + column] = values[from + column];
    }
  }
}
