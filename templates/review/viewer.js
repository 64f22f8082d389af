// Ranks by clicks and digits; the menus below the pictures hold the ranks and work without this script.
"use strict";
const menus = [...document.querySelectorAll("select")];
const pictures = [...document.querySelectorAll(".picture")];
const order = () => menus.map((menu, at) => [Number(menu.value), at]).filter(([rank]) => rank).sort((a, b) => a[0] - b[0]);

function show() {
  pictures.forEach((picture, at) => picture.classList.toggle("ranked", menus[at].value !== ""));
}

function rank(at) {
  if (at >= menus.length || menus[at].value !== "") return;
  const taken = new Set(menus.map((menu) => menu.value));
  menus[at].value = String(menus.findIndex((_, place) => !taken.has(String(place + 1))) + 1);
  show();
  if (order().length === menus.length) document.querySelector("input[name=among]").focus();
}

function takeBack() {
  const last = order().at(-1);
  if (last === undefined) return;
  menus[last[1]].value = "";
  show();
}

pictures.forEach((picture, at) => picture.addEventListener("click", () => rank(at)));
menus.forEach((menu) => menu.addEventListener("change", show));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT") return;
  if (/^[1-9]$/.test(event.key)) rank(Number(event.key) - 1);
  else if (event.key === "Backspace") takeBack();
  else return;
  event.preventDefault();
});
document.querySelector("video").addEventListener("error", () => { document.getElementById("no-clip").hidden = false; });
show();
