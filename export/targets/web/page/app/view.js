// Draws the painting: the frame, and on it the painting of the same size, or what a smaller one has more and less, scaled up.

/** The canvas, and the last painting, so that what the viewer changes shows without painting again. */
export class View {
  #context; #last;

  constructor(canvas) {
    this.canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false });
  }

  /** Sets the size of what is drawn. */
  resize(width, height) {
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width; this.canvas.height = height;
    this.canvas.parentElement.style.setProperty("--ratio", width / height);
  }

  /** Shows a painting, { frame, painted } or { frame, more, less }, and closes the one before it. */
  show(painting, look) {
    for (const picture of Object.values(this.#last ?? {})) picture.close?.();
    this.#last = painting;
    this.redraw(look);
  }

  /** Draws the last painting as { strength, mirror, compare, divider } want it. */
  redraw({ strength, mirror, compare, divider }) {
    if (!this.#last) return;
    const context = this.#context, { width, height } = this.canvas, { frame, painted, more, less } = this.#last;
    const at = compare ? Math.round(divider * width) : 0;
    const put = picture => {
      context.setTransform(mirror ? -1 : 1, 0, 0, 1, mirror ? width : 0, 0);
      context.drawImage(picture, 0, 0, width, height);
      context.resetTransform();
    };
    if (!painted || at || strength < 1) put(frame);  // else it is hidden wholly
    context.save();
    context.beginPath();
    context.rect(at, 0, width - at, height);
    context.clip();
    context.globalAlpha = strength;
    if (painted) put(painted);
    else {
      context.globalCompositeOperation = "lighter";  // frame + more
      put(more);
      context.globalCompositeOperation = "difference";  // |that - less|, which is that - less
      put(less);
    }
    context.restore();
    if (compare) {
      context.fillStyle = "#fff";
      context.fillRect(at - 1, 0, 2, height);
    }
  }
}
