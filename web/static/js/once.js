// A form is sent once: to press its button again while the answer is on its way does nothing.
const SENT = "form[data-once][aria-busy]";

addEventListener("submit", (event) => {
  const form = event.target;
  // What opens another window leaves this page as it is.
  if (!form.matches("[data-once]") || event.defaultPrevented || event.submitter?.formTarget === "_blank") return;
  if (form.matches(SENT)) event.preventDefault();
  else form.setAttribute("aria-busy", "true");
});

// Who comes back to the page may send it anew.
addEventListener("pageshow", () => document.querySelectorAll(SENT).forEach((form) => form.removeAttribute("aria-busy")));
