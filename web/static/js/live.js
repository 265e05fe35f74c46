// Parts of a page that the server sends anew when they change.
import { morph } from "./morph.js";
import { refresh } from "./times.js";

const RETRY = 2000;
const HIDDEN_FOR = 15000;
const page = document.querySelector("[data-live]");

function showState(on) {
  for (const badge of document.querySelectorAll("[data-live-state]")) {
    badge.hidden = false;
    if (badge.dataset.liveState !== (on ? "on" : "off")) badge.dataset.liveState = on ? "on" : "off";
  }
}

function showAway(away) {
  for (const notice of document.querySelectorAll("[data-database-away]")) notice.hidden = !away;
}

export function replaceParts(parts) {
  for (const [name, html] of Object.entries(parts)) {
    const place = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
    if (!place) continue;
    const fresh = place.cloneNode(false);
    fresh.append(document.createRange().createContextualFragment(html));
    // What the clocks show is ours: set it in what is new before it is compared.
    refresh(fresh);
    morph(place, fresh);
  }
}

// Opens a stream that outlives lost connections; `handlers` take the data of the events they are named for. Returns what
// closes it. A page that nobody looks at lets go of its stream: browsers allow six of them to one server.
export function follow(address, handlers) {
  let source;
  let again;
  let hiding;
  let newest = "";
  const close = () => {
    clearTimeout(again);
    clearTimeout(hiding);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    const url = new URL(address, location.href);
    if (newest) url.searchParams.set("since", newest);
    source = new EventSource(url);
    source.addEventListener("open", () => showState(true));
    source.addEventListener("error", () => {
      showState(false);
      // The browser connects again by itself, unless the server answered something else than a stream.
      if (source?.readyState === EventSource.CLOSED) again = setTimeout(open, RETRY);
    });
    source.addEventListener("database", (event) => {
      const { away } = JSON.parse(event.data);
      showAway(away);
      showState(!away);
    });
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        newest = event.lastEventId || newest;
        handle(JSON.parse(event.data));
      });
    }
  };
  const stop = new AbortController();
  const listen = (target, kind, handle) => target.addEventListener(kind, handle, { signal: stop.signal });
  listen(document, "visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, HIDDEN_FOR);
    else if (!source) open();
  });
  listen(window, "pagehide", close);
  listen(window, "pageshow", (event) => {
    if (event.persisted) open();
  });
  open();
  return () => {
    stop.abort();
    close();
  };
}

if (page) {
  showState(false);
  follow(page.dataset.live, { parts: replaceParts });
}
