// Buttons that copy what is shown once.
for (const button of document.querySelectorAll("[data-copy-from]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = button.parentElement.querySelector(button.dataset.copyFrom) ?? document.querySelector(button.dataset.copyFrom);
    await navigator.clipboard.writeText(source.textContent.trim());
    button.querySelector("span").textContent = button.dataset.tCopied;
  });
}
