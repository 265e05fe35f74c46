// The output of a job: follows it live, searches, wraps, copies.
import { Lines } from "./lines.js";
import { follow, replaceParts } from "./live.js";
import { Search } from "./search.js";

const NEAR_END = 40;
const page = document.querySelector(".job");
const section = document.querySelector("[data-output]");

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function kept(name, otherwise) {
  return localStorage.getItem(`multiflexi.${name}`) ?? otherwise;
}

function toggle(button, place, className, name, otherwise) {
  const set = (on) => {
    place.classList.toggle(className, on);
    button.setAttribute("aria-pressed", String(on));
  };
  set(kept(name, otherwise) === "yes");
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    localStorage.setItem(`multiflexi.${name}`, on ? "yes" : "no");
    set(on);
  });
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without HTTPS there is no clipboard to write to; a selection can still be copied.
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  return undefined;
}

function start() {
  const part = (name) => section.querySelector(`[data-${name}]`);
  const place = part("lines");
  const lines = new Lines(place, Number(section.dataset.first));
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const toEnd = part("to-end");
  let sticks = true;
  let close;

  const scrollToEnd = () => {
    place.scrollTop = place.scrollHeight;
  };
  const count = () => {
    const known = !place.classList.contains("has-no-numbers");
    part("count").textContent = lines.nodes.length && known ? fill(section.dataset.tLines, { count: number.format(lines.end) }) : "";
  };
  const search = new Search((found) => {
    part("found").textContent = !found ? "" : found.count ? fill(section.dataset.tFound, found) : section.dataset.tNone;
  });

  const take = ({ from, lines: fresh }) => {
    if (from !== undefined) lines.cut(from);
    if (fresh.length) place.hidden = false;
    search.look(lines.put(fresh));
    if (lines.dropped) part("cut")?.replaceChildren(section.dataset.tDropped);
    count();
    if (sticks) scrollToEnd();
  };
  const listen = (url) => {
    close?.();
    close = follow(url, {
      parts: replaceParts,
      output: take,
      end: () => {
        close();
        for (const badge of section.querySelectorAll("[data-live-state]")) badge.hidden = true;
      },
    });
  };

  place.addEventListener(
    "scroll",
    () => {
      sticks = place.scrollHeight - place.scrollTop - place.clientHeight < NEAR_END;
      toEnd.hidden = sticks;
    },
    { passive: true },
  );
  toEnd.addEventListener("click", () => {
    sticks = true;
    scrollToEnd();
  });

  part("tools").hidden = false;
  toggle(part("wrap"), place, "is-wrapped", "wrap", "yes");
  toggle(part("times"), place, "has-times", "times", "no");
  part("channel").addEventListener("change", (event) => {
    place.classList.toggle("only-o", event.target.value === "o");
    place.classList.toggle("only-e", event.target.value === "e");
    if (sticks) scrollToEnd();
  });
  part("copy").addEventListener("click", async (event) => {
    await copy(lines.text(part("channel").value));
    part("found").textContent = section.dataset.tCopied;
    event.target.focus();
  });

  let typing;
  part("search").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      search.start(event.target.value, lines.nodes);
      search.go(1);
    }, 120);
  });
  part("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      search.go(event.shiftKey ? -1 : 1);
    }
  });

  const all = part("load-all");
  if (all) {
    all.hidden = false;
    all.addEventListener("click", () => {
      place.classList.remove("has-no-numbers");
      sticks = false;
      listen(`${section.dataset.url}${section.dataset.url.includes("?") ? "&" : "?"}since=${encodeURIComponent("/0:0")}`);
      all.closest("[data-cut]").replaceChildren();
    });
  }

  count();
  scrollToEnd();
  if (page.dataset.jobLive) listen(page.dataset.jobLive);
}

if (page && section) start();
