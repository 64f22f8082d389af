"use strict";
// Shows the released frame of the marker under the pointer or with the focus. Everything it shows stands on the page
// without it; it loads nothing and writes text as text.
for (const timeline of document.querySelectorAll(".timeline")) {
  const markers = [...timeline.querySelectorAll("a.marker")];
  if (markers.length === 0) continue;
  const svg = timeline.querySelector("svg");
  const panel = document.createElement("figure");
  const words = document.createElement("figcaption");
  panel.className = "panel";
  words.setAttribute("aria-live", "polite");

  const show = (marker) => {
    const shown = document.getElementById(marker.getAttribute("href").slice(1));
    words.textContent = shown.querySelector("figcaption").innerText;
    panel.replaceChildren(...[...shown.querySelectorAll("img")].map((one) => one.cloneNode()), words);
    for (const one of markers) {
      one.classList.toggle("shown", one === marker);
      one.setAttribute("tabindex", one === marker ? "0" : "-1"); // one stop for the tabulator; arrows go on from it
    }
  };

  markers.forEach((marker, at) => {
    marker.addEventListener("focus", () => show(marker));
    marker.addEventListener("click", (event) => {
      if (event.detail > 0) event.preventDefault(); // a pointer has it in the panel; Enter goes to the large row
      marker.focus();
    });
    marker.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: markers.length - 1 };
      const next = markers[steps[event.key]];
      if (next === undefined) return;
      event.preventDefault();
      next.focus();
      show(next);
    });
  });

  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const distance = (marker) => Math.abs(Number(marker.dataset.x) - x);
    show(markers.reduce((best, one) => (distance(one) < distance(best) ? one : best)));
  });

  const named = () => markers.find((marker) => marker.getAttribute("href") === window.location.hash);
  window.addEventListener("hashchange", () => named() && show(named()));
  timeline.append(panel);
  timeline.classList.add("with-panel");
  const compared = markers.filter((marker) => marker.dataset.distance !== "");
  const nearer = (best, one) => (Number(one.dataset.distance) < Number(best.dataset.distance) ? one : best);
  show(named() ?? (compared.length > 0 ? compared.reduce(nearer) : markers[0]));
}
