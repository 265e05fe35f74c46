// The menu on narrow screens.
const button = document.querySelector("[data-menu]");
const menu = document.getElementById("menu");

function show(open) {
  menu.classList.toggle("is-open", open);
  button.setAttribute("aria-expanded", String(open));
}

if (button && menu) {
  button.addEventListener("click", () => show(!menu.classList.contains("is-open")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.classList.contains("is-open")) {
      show(false);
      button.focus();
    }
  });
}
