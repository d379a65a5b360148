// What the page asks the server for.

const AGAIN_MS = 5000;
const given = new URLSearchParams(location.search);

export function apiUrl(path, parameters = {}) {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.append(name, value);
  if (given.get("token")) url.searchParams.set("token", given.get("token"));
  return url;
}

// A document, or null where there is none now; what was shown stays.
export async function getOrNull(url) {
  try {
    const answer = await fetch(url);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

// A document that the page cannot do without.
export async function getAtLast(url) {
  for (;;) {
    const found = await getOrNull(url);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

export function listen(url, listeners) {
  const source = new EventSource(url);
  for (const [name, hear] of Object.entries(listeners)) source.addEventListener(name, (event) => hear(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    // The browser comes back by itself after a lost connection, but not after a refusal.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(url, listeners), AGAIN_MS);
  });
}
