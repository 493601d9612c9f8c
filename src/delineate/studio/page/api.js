// What the page asks of the server. Every failure is a sentence: `Refused`.

export class Refused extends Error {}

async function answered(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Refused("the server does not answer: was it ended in the terminal? Start it again and open the new address: what waits here is saved then");
  }
  if (answer.ok) return answer;
  const said = await answer.text();
  let sentence = said;
  try {
    const { error, detail } = JSON.parse(said);
    sentence = error ?? (Array.isArray(detail) ? detail.map((one) => one.msg).join("; ") : detail) ?? said;
  } catch { /* not JSON: as it is */ }
  throw new Refused(sentence);
}

const query = (given) => new URLSearchParams(given).toString();

export const pictureAddress = (name, z) => `/api/picture?${query({ name, z })}`;
export const thumbnailAddress = (name) => `/api/thumbnail?${query({ name })}`;

export async function read(what, given = {}) {
  return (await answered(`/api/${what}?${query(given)}`)).json();
}

export async function bytes(what, given) {
  return new Uint8Array(await (await answered(`/api/${what}?${query(given)}`)).arrayBuffer());
}

export async function ask(what, wanted = {}) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) };
  return (await answered(`/api/${what}`, options)).json();
}

export async function put(given, values) {
  const options = { method: "PUT", headers: { "Content-Type": "application/octet-stream" }, body: values };
  return (await answered(`/api/labels?${query(given)}`, options)).json();
}

export async function picture(name, z) {
  return createImageBitmap(await (await answered(pictureAddress(name, z))).blob());
}
