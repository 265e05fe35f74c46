// Theme without loading the page again; lists that apply when something is chosen.
const root = document.documentElement;

for (const link of document.querySelectorAll("[data-set-theme]")) {
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    root.dataset.theme = link.dataset.setTheme;
    for (const each of document.querySelectorAll("[data-set-theme]")) {
      if (each === link) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
    document.querySelector('meta[name="color-scheme"]').content =
      link.dataset.setTheme === "auto" ? "light dark" : link.dataset.setTheme;
    // The answer sets the cookie that keeps the choice.
    await fetch(link.href, { credentials: "same-origin" }).catch(() => location.assign(link.href));
  });
}

for (const list of document.querySelectorAll("select[data-submit]")) {
  list.addEventListener("change", () => list.form.requestSubmit());
}
