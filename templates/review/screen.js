// The frame on the screen: original and released in one picture with a wipe, or side by side, with boxes and a region
// that is drawn with the pointer. Asks for a frame only when the last one has come, and then for the newest wish.

import { ask, json } from "/answers.js";

const COLOURS = { undecided: "#ff5c7a", concealed: "#ffffff", swapped: "#5cc3ff", reviewed: "#b9e4b0", clear: "#b9e4b0" };

export class Screen {
  constructor(canvas, holder) {
    this.canvas = canvas;
    this.holder = holder;
    this.view = "wipe";
    this.wipe = 0.5;
    this.boxes = true;
    this.drawing = false;
    this.region = null; // left, top, right, bottom in pixels of the frame
    this.marks = []; // regions of decisions
    this.shown = null; // { video, frame, original, released, about }
    this.wanted = null;
    this.busy = false;
    this.onShown = () => {};
    this.onRegion = () => {};
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
  }

  async want(video, frame) {
    this.wanted = { video, frame };
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.wanted !== null) {
        const { video: number, frame: at } = this.wanted;
        this.wanted = null;
        const place = `video=${number}&frame=${at}`;
        const [original, released, about] = await Promise.all([
          picture(`/frame?side=original&${place}`),
          picture(`/frame?side=released&${place}`),
          json(`/about?${place}`),
        ]);
        this.shown = { video: number, frame: at, original, released, about };
        this.draw();
        this.onShown(this.shown);
      }
    } finally {
      this.busy = false;
    }
  }


  draw() {
    if (this.shown === null) return;
    const { original, released } = this.shown;
    const { width, height } = original;
    const both = this.view === "both";
    const canvas = this.canvas;
    if (canvas.width !== width * (both ? 2 : 1) || canvas.height !== height) {
      canvas.width = width * (both ? 2 : 1);
      canvas.height = height;
    }
    const pen = canvas.getContext("2d");
    pen.drawImage(original, 0, 0);
    if (both) {
      pen.drawImage(released, width, 0, width, height);
    } else {
      const cut = Math.round(width * this.wipe);
      const from = (cut * released.width) / width;
      if (cut < width) pen.drawImage(released, from, 0, released.width - from, released.height, cut, 0, width - cut, height);
      line(pen, cut, height);
    }
    for (const left of both ? [0, width] : [0]) this.drawBoxes(pen, left);
  }

  drawBoxes(pen, left) {
    const scale = this.scale;
    const thin = Math.max(1.5, this.pixel * 1.5);
    const frame = (box, colour, dash) => {
      const [x0, y0, x1, y1] = box.map((edge) => edge * scale);
      pen.setLineDash([]);
      pen.lineWidth = thin * 2;
      pen.strokeStyle = "rgba(0, 0, 0, .75)";
      pen.strokeRect(left + x0, y0, x1 - x0, y1 - y0);
      pen.setLineDash(dash.map((one) => one * thin));
      pen.lineWidth = thin;
      pen.strokeStyle = colour;
      pen.strokeRect(left + x0, y0, x1 - x0, y1 - y0);
    };
    if (this.boxes) {
      for (const one of this.shown.about.regions) {
        frame(one.box, COLOURS[one.state], one.whose === "subject" ? [] : [4, 3]);
        const size = 12 * this.pixel;
        pen.font = `600 ${size}px system-ui, sans-serif`;
        pen.lineJoin = "round";
        const words = `${one.track === null ? "?" : one.track} ${one.state}`;
        const at = [left + one.box[0] * scale, Math.max(size, one.box[1] * scale - size * 0.35)];
        pen.lineWidth = 2.5 * this.pixel;
        pen.setLineDash([]);
        pen.strokeStyle = "rgba(0, 0, 0, .8)";
        pen.strokeText(words, ...at);
        pen.fillStyle = COLOURS[one.state];
        pen.fillText(words, ...at);
      }
    }
    for (const box of this.marks) frame(box, "#ffd24d", [2, 2]);
    if (this.region !== null) frame(this.region, "#ffd24d", [6, 3]);
  }

  // Pixels of the sent picture for one of the frame, and for one of the screen.
  get scale() {
    return this.shown.original.width / this.shown.about.width;
  }

  get pixel() {
    return this.canvas.width / Math.max(1, this.canvas.getBoundingClientRect().width);
  }

  begin(event) {
    if (!this.drawing || this.shown === null || event.button !== 0) return;
    event.preventDefault();
    const start = this.place(event);
    const move = (one) => {
      const end = this.place(one);
      const edges = [0, 1].map((axis) => [start[axis], end[axis]].sort((a, b) => a - b));
      this.region = [edges[0][0], edges[1][0], edges[0][1], edges[1][1]];
      this.draw();
    };
    const stop = (one) => {
      move(one);
      this.canvas.removeEventListener("pointermove", move);
      const [x0, y0, x1, y1] = this.region;
      if (x1 - x0 < 2 || y1 - y0 < 2) this.region = null;
      this.draw();
      this.onRegion(this.region);
    };
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", stop, { once: true });
  }

  // Where in the frame a pointer is, in its pixels.
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const { width, height } = this.shown.about;
    const across = ((event.clientX - box.left) / box.width) * (this.view === "both" ? 2 : 1);
    const x = across >= 1 && this.view === "both" ? across - 1 : across;
    const within = (value, most) => Math.round(Math.min(Math.max(value, 0), 1) * most * 10) / 10;
    return [within(x, width), within((event.clientY - box.top) / box.height, height)];
  }
}

function line(pen, at, height) {
  pen.setLineDash([]);
  for (const [colour, width] of [["#000", 3], ["#fff", 1]]) {
    pen.fillStyle = colour;
    pen.fillRect(at - width / 2, 0, width, height);
  }
}

function picture(address) {
  const read = async (answer) => {
    if (!answer.ok) throw new Error("no frame");
    return createImageBitmap(await answer.blob());
  };
  return ask(address, read, { cache: "no-store" });
}
