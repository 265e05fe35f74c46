// The own account: how strong a password is while it is typed, and passkeys.
const field = document.querySelector("[data-strength]");
const WAIT = 200;

if (field) {
  const box = field.parentElement.querySelector(".strength");
  const token = field.form.querySelector("[name=_csrf_token]").value;
  let timer;
  let asked;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      asked?.abort();
      asked = new AbortController();
      box.hidden = !field.value;
      if (!field.value) return;
      const body = new URLSearchParams({ _csrf_token: token, password: field.value });
      try {
        const answer = await fetch(field.dataset.strength, { method: "POST", body, signal: asked.signal, headers: { accept: "application/json" } });
        const { score, text } = await answer.json();
        box.querySelector("meter").value = score;
        box.querySelector("span").textContent = text;
      } catch {
        // Another letter was typed meanwhile, or the server is away: the form itself tells in the end.
      }
    }, WAIT);
  });
}

const place = document.querySelector("[data-passkeys]");
const adding = place?.querySelector("[data-passkey-add]");

async function send(address, values) {
  const body = new URLSearchParams({ _csrf_token: place.dataset.csrf, ...values });
  const answer = await fetch(address, { method: "POST", body, headers: { accept: "application/json" } });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

if (adding && window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
  adding.hidden = false;
  adding.querySelector("button").addEventListener("click", async () => {
    const error = place.querySelector("[data-passkey-error]");
    error.hidden = true;
    try {
      const { options, token } = await send(place.dataset.passkeys, {});
      const made = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
      const name = adding.querySelector("input").value;
      const { location } = await send(place.dataset.finish, { token, name, answer: JSON.stringify(made.toJSON()) });
      window.location.assign(location);
    } catch (problem) {
      error.textContent = problem.name === "Error" ? problem.message : place.dataset.tFailed;
      error.hidden = false;
    }
  });
}
