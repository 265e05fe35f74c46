// Signing in by a passkey: the browser asks the device, the server checks what it signed.
const place = document.querySelector("[data-passkey-sign-in]");
const button = place?.querySelector("button");

async function send(step, values) {
  const body = new URLSearchParams({ _csrf_token: place.dataset.csrf, ...values });
  const answer = await fetch(place.dataset.passkeySignIn + step, { method: "POST", body, headers: { accept: "application/json" } });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

if (button && window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  const error = place.querySelector(".field-error");
  place.hidden = false;
  button.hidden = false;
  button.addEventListener("click", async () => {
    error.hidden = true;
    button.disabled = true;
    try {
      const options = await send("begin", {});
      const signed = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      const { location } = await send("finish", { next: place.dataset.next, answer: JSON.stringify(signed.toJSON()) });
      window.location.assign(location);
    } catch (problem) {
      error.textContent = problem.name === "Error" ? problem.message : place.dataset.tFailed;
      error.hidden = false;
      button.disabled = false;
    }
  });
}
