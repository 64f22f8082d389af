// The timeline: states and distances as the server gathered them in columns, decisions and shown frames as this page
// knows them. One canvas, however many frames.

const LANES = [
  ["undecided", "#b00020", 0, 14],
  ["concealed", "#1a1a1a", 3, 11],
  ["swapped", "#0b4f8a", 6, 8],
  ["clear", "#8a8a8a", 9, 5],
  ["reviewed", "#8a8a8a", 9, 5],
];
const HEIGHT = 118;
const CURVE = [4, 70];
const STATES = 76;
const MINE = 94;
const SEEN = 106;

export class Timeline {
  constructor(canvas, cut) {
    this.canvas = canvas;
    this.cut = cut;
    this.data = null;
    this.frame = 0;
    this.decided = []; // [first, last]
    this.seen = new Uint8Array(0);
    this.chosen = null; // [first, last]
    this.onPick = () => {};
    const pick = (event) => {
      if (this.data === null) return;
      const box = canvas.getBoundingClientRect();
      const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      this.onPick(Math.min(this.data.frames - 1, Math.floor(share * this.data.frames)));
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pick(event);
    });
    canvas.addEventListener("pointermove", (event) => event.buttons & 1 && pick(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(data) {
    this.data = data;
    this.seen = new Uint8Array(data.frames);
    this.canvas.setAttribute("aria-valuemax", data.frames - 1);
    this.draw();
  }

  at(frame, words) {
    this.frame = frame;
    this.canvas.setAttribute("aria-valuenow", frame);
    this.canvas.setAttribute("aria-valuetext", words);
    this.draw();
  }

  draw() {
    if (this.data === null) return;
    const { canvas, data } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(HEIGHT * ratio)) canvas.height = Math.round(HEIGHT * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, width, HEIGHT);
    const x = (frame) => (frame / data.frames) * width;
    const bar = (first, last, top, height, colour) => {
      pen.fillStyle = colour;
      pen.fillRect(x(first), top, Math.max(1, x(last + 1) - x(first)), height);
    };
    if (this.chosen !== null) bar(...this.chosen, 0, HEIGHT, "#fff3cf");

    const count = data.states.length;
    const column = width / count;
    for (const [name, colour, top, height] of [...LANES].reverse()) {
      const bit = 1 << data.names.indexOf(name);
      pen.fillStyle = colour;
      data.states.forEach((states, at) => {
        if (states & bit) pen.fillRect(at * column, STATES + top, Math.max(1, column), height);
      });
    }
    this.curve(pen, width, column);
    for (const [first, last] of this.decided) bar(first, last, MINE, 8, "#8a5a00");
    pen.fillStyle = "#2e7d32";
    const pixels = Math.max(1, Math.floor(width));
    for (let pixel = 0; pixel < pixels; pixel += 1) {
      const from = Math.floor((pixel / pixels) * data.frames);
      const to = Math.max(from + 1, Math.floor(((pixel + 1) / pixels) * data.frames));
      if (this.seen.subarray(from, to).includes(1)) pen.fillRect((pixel / pixels) * width, SEEN, 1, 6);
    }
    pen.fillStyle = "#b00020";
    pen.fillRect(x(this.frame + 0.5) - 1, 0, 2, HEIGHT);
  }

  curve(pen, width, column) {
    const known = this.data.distances.filter((one) => one !== null);
    const low = Math.min(this.cut, ...known) - 0.05;
    const high = Math.max(this.cut, ...known) + 0.05;
    const y = (value) => CURVE[1] - ((value - low) / (high - low)) * (CURVE[1] - CURVE[0]);
    pen.strokeStyle = "#666";
    pen.setLineDash([5, 4]);
    pen.beginPath();
    pen.moveTo(0, y(this.cut));
    pen.lineTo(width, y(this.cut));
    pen.stroke();
    pen.setLineDash([]);
    this.data.distances.forEach((value, at) => {
      if (value === null) return;
      pen.fillStyle = value < this.cut ? "#b00020" : "#0b4f8a";
      pen.fillRect(at * column + column / 2 - 1, y(value) - 1.5, 2, 3);
    });
  }
}
