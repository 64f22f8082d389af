// The review page: queue, frame, decisions. Everything that is decided is decided by the server; words are written as text.
import { end, json, post } from "/answers.js";
import { Screen } from "/screen.js";
import { Timeline } from "/timeline.js";

const find = (name) => document.getElementById(name);
const WORDS = { clear: "Clear", conceal: "Conceal", wrong_person: "Wrong person", reswap: "Swap again" };
const form = find("decide");
const screen = new Screen(find("picture"), find("screen"));
const timeline = new Timeline(find("timeline"), Number(document.querySelector(".legend").dataset.cut));
const now = { video: 0, frame: 0, frames: 0, items: [], item: -1, playing: false, standing: null, counting: null, asked: 0 };

function element(tag, words = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = words;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// -- the frame --------------------------------------------------------------------------------------------------------

async function show(video, frame) {
  if (video !== now.video) await open(video);
  now.frame = Math.min(Math.max(frame, 0), now.frames - 1);
  find("frame").value = now.frame;
  timeline.at(now.frame, `frame ${now.frame} of ${now.frames}`);
  await screen.want(now.video, now.frame);
}

async function open(video) {
  now.video = video;
  const columns = Math.max(50, Math.round(find("timeline").clientWidth));
  const data = await json(`/timeline?video=${video}&columns=${columns}`);
  now.frames = data.frames;
  timeline.show(data);
  if (find("video")) find("video").value = video;
  find("of").textContent = `of ${data.frames} (from 0)`;
  for (const one of [find("frame"), form.first, form.last]) one.max = data.frames - 1;
  mark();
  people(video);
}

const step = (by) => show(now.video, now.frame + by);

async function play() {
  now.playing = !now.playing;
  find("play").textContent = now.playing ? "Stop" : "Play";
  find("play").setAttribute("aria-pressed", now.playing);
  while (now.playing && now.frame < now.frames - 1) {
    const next = new Promise((done) => setTimeout(done, 40));
    await Promise.all([step(1), next]);
  }
  if (now.playing) play();
}

screen.onShown = ({ video, frame, about }) => {
  if (video === now.video) timeline.seen[frame] = 1;
  find("clock").textContent = `${about.time_s.toFixed(2)} s`;
  const distance = about.distance === null ? "not compared" : about.distance.toFixed(3);
  find("picture").setAttribute("aria-label", `Frame ${frame} of video ${video}: ${about.state}, ${about.regions.length} face regions`);
  const facts = element("p", `Frame ${frame}: ${about.state}. Distance to the original: ${distance}.`);
  if (about.expression_error !== null) facts.append(` Mouth open otherwise by ${(100 * about.expression_error).toFixed(1)} % of the eyes' distance.`);
  if (about.unaccounted_faces) facts.append(` Faces that the audit sees outside of every region: ${about.unaccounted_faces}.`);
  if (!about.regions.length && about.cleared_by.length) facts.append(` No face, by ${about.cleared_by.join(" and ")}.`);
  const list = element("ul");
  for (const one of about.regions) {
    const numbers = one.numbers.map(([name, value]) => `${name} ${value}`).join(", ");
    list.append(element("li", `Person ${one.track ?? "?"} (${one.whose}): ${one.state}, ${one.reason}${numbers ? `; ${numbers}` : ""}`));
  }
  find("facts").replaceChildren(facts, list);
  choices(about.regions);
  count();
};

function choices(regions) {
  const before = form.track.value;
  const tracks = [...new Set(regions.filter((one) => one.track !== null).map((one) => String(one.track)))];
  if (before && !tracks.includes(before)) tracks.push(before);
  form.track.replaceChildren(...tracks.map((one) => element("option", `person ${one}`, { value: one })));
  if (before) form.track.value = before;
}

// -- the queue --------------------------------------------------------------------------------------------------------

// The stretches from `offset` on, `least` of them where there are so many; an answer that was overtaken is left, and false.
async function queue(offset = 0, least = 1) {
  const asked = ++now.asked;
  const wanted = new URLSearchParams(new FormData(find("filter")));
  if (!wanted.has("video")) wanted.set("video", 0);
  const items = now.items.slice(0, offset);
  let found = null;
  do {
    wanted.set("offset", items.length);
    found = await json(`/queue?${wanted}`);
    if (asked !== now.asked) return false;
    items.push(...found.items);
  } while (items.length < Math.min(offset + least, found.total) && found.items.length);
  if (offset === 0) now.item = -1;
  now.items = items;
  find("items").replaceChildren(...items.map(row));
  current();
  find("more").hidden = items.length >= found.total;
  find("queue-count").textContent = `${found.total} stretches`;
  return true;
}

function row(one, at) {
  const button = element("button", "", { class: one.state });
  const place = one.first === one.last ? `frame ${one.first}` : `frames ${one.first}–${one.last}`;
  button.append(element("strong", one.state), ` video ${one.video}, ${place}`);
  const who = one.track === null ? "" : `person ${one.track}: `;
  const near = one.distance === null ? "" : `; nearest ${one.distance.toFixed(3)}`;
  button.append(element("span", `${who}${one.reason}${near}`, { class: "hint" }));
  if (one.differs) button.append(element("span", "the readings differ", { class: "hint" }));
  if (one.decided.length) button.append(element("span", `✓ ${one.decided.map((kind) => WORDS[kind]).join(", ")}`, { class: "done" }));
  button.addEventListener("click", () => pick(at));
  const made = element("li");
  made.append(button);
  return made;
}

function current() {
  [...find("items").children].forEach((item, number) => item.firstChild.toggleAttribute("aria-current", number === now.item));
}

async function pick(at) {
  if (at >= now.items.length && !find("more").hidden) await queue(now.items.length);
  const one = now.items[at];
  if (one === undefined) return;
  now.item = at;
  current();
  find("items").children[at].scrollIntoView({ block: "nearest" });
  form.first.value = one.first;
  form.last.value = one.last;
  if (one.track !== null) {
    choices([{ track: one.track }]);
    form.track.value = one.track;
  }
  about(one.track === null ? "all" : "track");
  region(null);
  await show(one.video, one.first);
  mark();
}

// -- decisions --------------------------------------------------------------------------------------------------------

const about = (what) => (form.querySelector(`input[name="about"][value="${what}"]`).checked = true);

function region(box) {
  screen.region = box;
  ["left", "top", "right", "bottom"].forEach((edge, at) => (form[edge].value = box === null ? "" : box[at]));
  screen.draw();
}

async function decide(kind) {
  const what = new FormData(form).get("about");
  const box = ["left", "top", "right", "bottom"].map((edge) => form[edge].value);
  if (what === "box" && box.includes("")) {
    find("problem").textContent = "Draw a region, or give its four edges.";
    return;
  }
  if (what === "track" && !form.track.value) {
    find("problem").textContent = "There is no person here: choose a region, or all faces.";
    return;
  }
  const said = await post("/decide", {
    kind,
    video: now.video,
    first: form.first.value,
    last: form.last.value,
    track: what === "track" ? form.track.value : "",
    box: what === "box" ? box.join(",") : "",
    note: form.note.value,
  });
  if (said === null) return;
  form.note.value = "";
  region(null);
  await decided(said);
}

async function undo(number) {
  const said = await post("/undo", { number });
  if (said !== null) await decided(said);
}

function progress(said) {
  now.standing = said;
  const count = said.decisions.length;
  find("standing").textContent = `${said.frames_shown} of ${said.frames} frames shown, ${count} ${count === 1 ? "decision" : "decisions"}`;
}

// Counts what was shown, a little later, so that stepping waits for nothing.
function count() {
  now.counting ??= setTimeout(async () => {
    now.counting = null;
    progress(await json("/standing"));
  }, 1000);
}

function stands(said) {
  progress(said);
  const count = said.decisions.length;
  find("none").hidden = count > 0;
  find("undo").disabled = count === 0;
  find("mine").replaceChildren(
    ...said.decisions.map((one) => {
      const where = one.box ? "a region" : one.track === null ? "all faces" : `person ${one.track}`;
      const go = element("button", `${WORDS[one.kind]}: ${where}, video ${one.video}, frames ${one.first}–${one.last}`);
      go.addEventListener("click", () => show(one.video, one.first));
      const back = element("button", "Undo", { "aria-label": `Undo decision ${one.number}` });
      back.addEventListener("click", () => undo(one.number));
      const made = element("li");
      made.append(go, back);
      if (one.note) made.append(element("span", one.note, { class: "hint" }));
      return made;
    }),
  );
  mark();
}

// The list and the cards after a decision: the server says which stretches it is about, and which are still wanted.
async function decided(said) {
  stands(said);
  const chosen = now.items[now.item];
  if (!(await queue(0, now.items.length))) return;
  now.item = chosen === undefined ? -1 : now.items.findIndex((one) => one.number === chosen.number);
  current();
  mark();
  const found = await json(`/people?video=${now.video}`);
  for (const one of found.people) said_of(one);
}

// What the timeline and the screen show of decisions and shown frames.
function mark() {
  if (now.standing === null || now.video === 0) return;
  const mine = now.standing.decisions.filter((one) => one.video === now.video);
  timeline.decided = mine.map((one) => [one.first, one.last]);
  for (const [video, first, last] of now.standing.shown) if (video === now.video) timeline.seen.fill(1, first, last + 1);
  const item = now.items[now.item];
  timeline.chosen = item !== undefined && item.video === now.video ? [item.first, item.last] : null;
  screen.marks = mine.filter((one) => one.box && one.first <= now.frame && now.frame <= one.last).map((one) => one.box);
  timeline.draw();
  screen.draw();
}

// What was decided about a person, on their card.
function said_of(one) {
  const place = document.querySelector(`#people [data-track="${one.track}"]`);
  if (place !== null) place.textContent = one.decided.length ? `✓ ${one.decided.map((kind) => WORDS[kind]).join(", ")}` : "";
}

async function people(video) {
  const found = await json(`/people?video=${video}`);
  const cards = found.people.map((one) => {
    const card = element("li", "", { class: "card" });
    const faces = element("div", "", { class: "faces" });
    for (const side of ["original", "released"]) {
      const place = `video=${video}&track=${one.track}&side=${side}`;
      faces.append(element("img", "", { src: `/face?${place}`, alt: `Person ${one.track}, ${side}`, loading: "lazy", width: 84, height: 84 }));
    }
    const states = Object.entries(one.states).map(([state, count]) => `${count} ${state}`).join(", ");
    card.append(faces, element("h3", `Person ${one.track}: ${one.whose}`), element("p", `${one.frames} frames, ${one.first}–${one.last}: ${states}`));
    const go = element("button", "Choose", { "aria-label": `Choose person ${one.track} and all of its frames` });
    go.addEventListener("click", async () => {
      form.first.value = one.first;
      form.last.value = one.last;
      choices([{ track: one.track }]);
      form.track.value = one.track;
      about("track");
      await show(video, one.face_frame);
      find("decide-head").scrollIntoView({ block: "nearest" });
    });
    card.append(element("p", "", { class: "done", "data-track": one.track }), go);
    return card;
  });
  if (found.total > cards.length) cards.push(element("li", `and ${found.total - cards.length} shorter stretches, in the list only`, { class: "hint" }));
  find("people").replaceChildren(...cards);
  found.people.forEach(said_of);
}

// -- what is pressed --------------------------------------------------------------------------------------------------

const view = (name) => {
  screen.view = name;
  document.querySelector(`input[name="view"][value="${name}"]`).checked = true;
  find("wipe-row").hidden = name !== "wipe";
  screen.draw();
};
const wipe = (share) => {
  find("wipe").value = share;
  screen.wipe = Number(find("wipe").value) / 100;
  screen.draw();
};
const toggle = (name, box) => {
  find(name).checked = box;
  screen[name] = box;
  find("picture").classList.toggle("drawing", screen.drawing);
  screen.draw();
};
const whole = () => {
  const one = now.items[now.item];
  [form.first.value, form.last.value] = one === undefined ? [now.frame, now.frame] : [one.first, one.last];
};

const ACTIONS = {
  ArrowLeft: (event) => step(event.shiftKey ? -10 : -1),
  ArrowRight: (event) => step(event.shiftKey ? 10 : 1),
  " ": play,
  n: () => pick(now.item + 1),
  p: () => pick(Math.max(0, now.item - 1)),
  w: () => view(screen.view === "wipe" ? "both" : "wipe"),
  b: () => toggle("boxes", !screen.boxes),
  a: () => wipe(Number(find("wipe").value) - 5),
  d: () => wipe(Number(find("wipe").value) + 5),
  "[": () => (form.first.value = now.frame),
  "]": () => (form.last.value = now.frame),
  r: () => toggle("drawing", !screen.drawing),
  u: () => undo(now.standing.decisions.length),
};
const KINDS = { c: "clear", h: "conceal", x: "wrong_person", s: "reswap" };
for (const [key, kind] of Object.entries(KINDS)) {
  const button = form.querySelector(`[data-kind="${kind}"]`);
  if (button === null) continue;
  ACTIONS[key] = () => decide(kind);
  button.addEventListener("click", () => decide(kind));
}

document.addEventListener("keydown", (event) => {
  const typed = event.target.matches("input:not([type=checkbox]):not([type=radio]), select, textarea");
  const acts = event.target.matches("button, summary") && event.key === " ";
  if (typed || acts || event.ctrlKey || event.altKey || event.metaKey || find("ending")?.open !== false) return;
  if (event.key.length === 1 && !find("keys").checked) return;
  if (event.target.matches("input[type=radio]") && event.key.startsWith("Arrow")) return;
  const action = ACTIONS[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action(event);
});
find("timeline").addEventListener("keydown", (event) => {
  const far = Math.max(1, Math.round(now.frames / 50));
  const to = { Home: 0, End: now.frames - 1, PageUp: now.frame - far, PageDown: now.frame + far, ArrowUp: now.frame + 1, ArrowDown: now.frame - 1 };
  if (!(event.key in to)) return;
  event.preventDefault();
  show(now.video, to[event.key]);
});
timeline.onPick = (frame) => show(now.video, frame);
screen.onRegion = (box) => {
  region(box);
  if (box !== null) about("box");
};

for (const button of document.querySelectorAll("[data-step]")) button.addEventListener("click", () => step(Number(button.dataset.step)));
for (const button of document.querySelectorAll(".earlier button")) {
  button.addEventListener("click", () => show(Number(button.dataset.video), Number(button.dataset.frame)));
}
for (const radio of document.querySelectorAll('input[name="view"]')) radio.addEventListener("change", () => view(radio.value));
for (const name of ["boxes", "drawing"]) find(name).addEventListener("change", () => toggle(name, find(name).checked));
for (const edge of ["left", "top", "right", "bottom"]) {
  form[edge].addEventListener("input", () => {
    const box = ["left", "top", "right", "bottom"].map((one) => form[one].value);
    screen.region = box.includes("") ? null : box.map(Number);
    about("box");
    screen.draw();
  });
}
find("play").addEventListener("click", play);
find("wipe").addEventListener("input", () => wipe(find("wipe").value));
find("zoom").addEventListener("change", () => (find("picture").dataset.zoom = find("zoom").value));
find("frame").addEventListener("change", () => show(now.video, Number(find("frame").value)));
find("video")?.addEventListener("change", () => show(Number(find("video").value), 0));
find("filter").addEventListener("change", () => queue());
find("filter").addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("submit", (event) => event.preventDefault());
find("more").addEventListener("click", () => queue(now.items.length));
find("here").addEventListener("click", () => ([form.first.value, form.last.value] = [now.frame, now.frame]));
find("stretch").addEventListener("click", whole);
find("undo").addEventListener("click", () => undo(now.standing.decisions.length));
find("finish").addEventListener("click", async () => {
  stands(await json("/standing"));
  const { frames_shown: shown, frames, decisions } = now.standing;
  const made = `${decisions.length} decision${decisions.length === 1 ? "" : "s"}`;
  find("ending-words").textContent = `You were shown ${shown} of ${frames} frames and made ${made}.`;
  find("ending").showModal();
});
find("ending-no").addEventListener("click", () => find("ending").close());
find("ending-yes").addEventListener("click", async () => {
  find("ending").close();
  if ((await post("/finish", {})) === null) return;
  end();
  now.playing = false;
  const words = find("ending-words").textContent;
  document.body.replaceChildren(find("done").content.cloneNode(true));
  find("done-words").textContent = words;
  document.querySelector("h1").focus();
});
stands(await json("/standing"));
await queue();
await (now.items.length ? pick(0) : show(1, 0));
