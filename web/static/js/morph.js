// Brings an element to the state of another one and keeps what is the same: focus, selection and open details stay.
function same(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && (old.id || "") === (fresh.id || "");
}

function takeAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    const kept = name === "open" && old.nodeName === "DETAILS";
    if (!fresh.hasAttribute(name) && !kept) old.removeAttribute(name);
  }
}

export function morph(old, fresh) {
  takeAttributes(old, fresh);
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let found = place;
    // An element with an id may have moved: look further for it.
    if (wanted.id) while (found && !same(found, wanted)) found = found.nextSibling;
    if (found && same(found, wanted)) {
      if (found !== place) old.insertBefore(found, place);
      else place = place.nextSibling;
      if (found.nodeType === Node.ELEMENT_NODE) morph(found, wanted);
      else if (found.nodeValue !== wanted.nodeValue) found.nodeValue = wanted.nodeValue;
    } else {
      const added = document.importNode(wanted, true);
      old.insertBefore(added, place);
      if (added.nodeName === "LI" || added.nodeName === "TR") added.classList.add("is-new");
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}
