// Keeps "5 minutes ago" and running durations going, by the server's clock.
const root = document.documentElement;
const language = root.lang;
const ahead = Date.parse(root.dataset.now) - Date.now();
const words = new Intl.RelativeTimeFormat(language, { numeric: "always", style: "long" });
const decimal = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const justNow = { cs: "právě teď", en: "just now" };
const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

function now() {
  return Date.now() + ahead;
}

export function relative(moment) {
  const seconds = (moment - now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return justNow[language];
  // The same thresholds as on the server: 1.2 of a unit, rounded.
  for (const [unit, length] of UNITS) {
    if (size >= length * 1.2) return words.format(Math.round(seconds / length), unit);
  }
  return words.format(Math.round(seconds), "second");
}

export function duration(seconds) {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 60) return `${decimal.format(seconds)} s`;
  const whole = Math.round(seconds);
  const [size, unit, smaller, smallUnit] = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]].find(
    (each) => whole >= each[0],
  );
  const rest = Math.floor((whole % size) / smaller);
  return rest ? `${Math.floor(whole / size)} ${unit} ${rest} ${smallUnit}` : `${Math.floor(whole / size)} ${unit}`;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function refresh(part = document) {
  for (const element of part.querySelectorAll("time[data-time]")) {
    set(element, relative(Date.parse(element.dateTime)));
  }
  tick(part);
}

function tick(part = document) {
  for (const element of part.querySelectorAll("[data-since]")) {
    const seconds = (now() - Date.parse(element.dataset.since)) / 1000;
    set(element, duration(seconds < 60 ? Math.floor(seconds * 10) / 10 : seconds));
  }
}

refresh();
setInterval(() => {
  if (!document.hidden) tick();
}, 200);
setInterval(() => {
  if (!document.hidden) refresh();
}, 5000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
