// Settings that matter only while others have certain values: hidden otherwise, with what was typed kept.
const settings = new Map([...document.querySelectorAll("[data-setting]")].map((each) => [each.dataset.setting, each]));
const conditional = [...settings.values()].filter((each) => each.dataset.condition);

const valueOf = (name) => {
  const part = settings.get(name);
  const control = part?.querySelector("[name^='env.']");
  return control?.value || part?.dataset.inherited || "";
};

const look = () => {
  for (const each of conditional) {
    const wanted = Object.entries(JSON.parse(each.dataset.condition));
    const matters = wanted.every(([name, values]) => values.includes(valueOf(name)));
    each.hidden = !matters && !each.querySelector("[aria-invalid]");
  }
};

if (conditional.length) {
  document.addEventListener("input", look);
  look();
}
