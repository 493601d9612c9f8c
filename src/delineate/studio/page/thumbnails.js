// The small pictures of the list: of those in sight, one at a time, so that what is looked at does not wait for them.

import { thumbnailAddress } from "./api.js";
import { made } from "./dom.js";

const waiting = new Map(); // image: its name
let loading = false;

const sight = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    if (isIntersecting) waiting.set(target, target.dataset.of); else waiting.delete(target);
  }
  loadNext();
}, { rootMargin: "200px" });

export function thumbnail(name) {
  const image = made("img", { alt: "" });
  image.dataset.of = name;
  sight.observe(image);
  return image;
}

function loadNext() {
  const [first] = waiting;
  if (loading || !first) return;
  const [image, name] = first;
  loading = true;
  waiting.delete(image);
  sight.unobserve(image);
  const ended = () => { loading = false; loadNext(); };
  image.onload = ended;
  image.onerror = () => {
    image.replaceWith(made("span", { className: "broken", textContent: "cannot be shown" }));
    ended();
  };
  image.src = thumbnailAddress(name);
}
