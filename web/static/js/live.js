// Parts of a page that the server sends anew when they change.
import { morph } from "./morph.js";
import { refresh } from "./times.js";

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

// Opens a stream that outlives lost connections; `handlers` take the data of the events they are named for.
export function follow(url, handlers) {
  let source;
  let again;
  const open = () => {
    source = new EventSource(url());
    source.addEventListener("open", () => showState(true));
    source.addEventListener("error", () => {
      showState(false);
      // The browser connects again by itself, unless the server answered something else than a stream.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 2000);
    });
    source.addEventListener("database", (event) => {
      const { away } = JSON.parse(event.data);
      showAway(away);
      showState(!away);
    });
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data), event));
    }
  };
  const close = () => {
    clearTimeout(again);
    source?.close();
  };
  open();
  // A page in the cache of the browser must not hold a connection.
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => {
    if (event.persisted) open();
  });
  return close;
}

if (page) {
  showState(false);
  follow(() => page.dataset.live, { parts: replaceParts });
}
