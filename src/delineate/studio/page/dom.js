// Elements by name, elements made, colours as CSS has them.

export const byId = (id) => document.getElementById(id);

export function made(kind, given = {}, ...inside) {
  const one = Object.assign(document.createElement(kind), given);
  one.append(...inside);
  return one;
}

export const colour = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;
