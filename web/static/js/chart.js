// What a column of the chart says, shown beside it.
let tip;

function show(day) {
  const chart = day.closest(".chart");
  tip ??= Object.assign(document.createElement("div"), { className: "tip" });
  tip.setAttribute("aria-hidden", "true");
  tip.textContent = day.dataset.tip;
  chart.append(tip);
  const box = chart.getBoundingClientRect();
  const column = day.getBoundingClientRect();
  const left = column.left - box.left + column.width / 2 - tip.offsetWidth / 2;
  tip.style.left = `${Math.max(0, Math.min(left, box.width - tip.offsetWidth))}px`;
  tip.style.top = `${Math.max(0, column.top - box.top - 6)}px`;
}

function hide() {
  tip?.remove();
}

for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, (event) => {
    const day = event.target.closest?.(".chart-day");
    if (day) show(day);
    else hide();
  });
}
document.addEventListener("focusout", hide);
