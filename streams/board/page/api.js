// Asks the server; the token never leaves this tab but in the header of what changes something.

const BASE = "api/v1/";

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const TOKEN = "hotspots-token";
const NAME = "hotspots-name";

/** The address may bring the token behind #, which no server sees; it is taken out at once. */
export function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return;
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname + location.search);
}

export const token = () => sessionStorage.getItem(TOKEN) ?? "";
export const name = () => localStorage.getItem(NAME) ?? "";

export function signIn(newName, newToken) {
  localStorage.setItem(NAME, newName);
  if (newToken) sessionStorage.setItem(TOKEN, newToken);
}

export function signOut() {
  sessionStorage.removeItem(TOKEN);
}

async function answerOf(response) {
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  const said = isJson ? await response.json() : {};
  if (!response.ok) throw new Refused(response.status, said.detail ?? response.statusText);
  return said;
}

export async function read(path, query = {}) {
  const asked = new URLSearchParams(query).toString();
  return answerOf(await fetch(BASE + path + (asked ? `?${asked}` : "")));
}

export async function change(path, body) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token()}` };
  return answerOf(
    await fetch(BASE + path, { method: "POST", headers, body: JSON.stringify(body) }),
  );
}

const RETRY_MS = 2000;

/**
 * Listens for good. The browser itself reconnects when a connection is lost, and says which alert
 * it saw last; when it gives up (the server refused) that is done here.
 */
export function listen({ lastId, onEvent, onLive }) {
  let seen = lastId;
  const begin = () => {
    const source = new EventSource(`${BASE}stream${seen ? `?since=${encodeURIComponent(seen)}` : ""}`);
    source.onopen = () => onLive(true);
    source.onerror = () => {
      onLive(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(begin, RETRY_MS);
    };
    for (const event of ["board", "alert", "reset", "trouble"]) {
      source.addEventListener(event, (message) => {
        if (message.lastEventId) seen = message.lastEventId;
        onEvent(event, JSON.parse(message.data));
      });
    }
  };
  begin();
}
