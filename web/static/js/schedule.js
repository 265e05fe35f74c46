// The next runs of a schedule, shown anew while it is typed.
const part = document.querySelector("[data-schedule]");
const WAIT = 250;

if (part) {
  const shown = part.querySelector("[data-preview]");
  const fields = [...part.querySelectorAll("input[name], select[name]")];
  const cron = part.querySelector("[name=cron]");
  const interval = part.querySelector("[name=interval]");
  let timer;
  let asked;

  const look = async () => {
    asked?.abort();
    asked = new AbortController();
    const url = new URL(part.dataset.schedule, location.href);
    for (const field of fields) url.searchParams.set(field.name, field.value);
    try {
      const answer = await fetch(url, { signal: asked.signal, headers: { accept: "text/html" } });
      if (answer.ok) shown.replaceChildren(document.createRange().createContextualFragment(await answer.text()));
    } catch {
      // Another one was typed meanwhile, or the server is away: what stands there stays.
    }
  };
  part.addEventListener("input", (event) => {
    if (event.target === cron && cron.value.trim()) interval.value = "c";
    clearTimeout(timer);
    timer = setTimeout(look, WAIT);
  });
}
