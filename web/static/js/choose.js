// A box that chooses all rows of a table, or none.
for (const all of document.querySelectorAll("[data-check-all]")) {
  const boxes = [...all.closest("table").querySelectorAll("tbody input[type=checkbox]")];
  const look = () => {
    const chosen = boxes.filter((each) => each.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const each of boxes) each.checked = all.checked;
  });
  for (const each of boxes) each.addEventListener("change", look);
  look();
}
