// The canvas as Core ML takes it: candidates of all slots in one, cover and relief of all pixels in one. See Canvas.arrays in
// canvas/layout.py; layCanvas is of a site's app/canvas.js.
function layStacked(strokes, height, width) {
  const laid = layCanvas(strokes, height, width), { step, hand } = strokes, [rows, columns] = laid.ground[2];
  const named = start => Object.keys(laid).filter(name => name.startsWith(start)).map(name => laid[name][1]);
  const slots = named("candidates_"), planes = named("texels_"), count = planes[0].length, size = rows * columns;
  const candidates = new Int32Array(slots.length * size), texels = new Float32Array(2 * planes.length * count);
  slots.forEach((slot, i) => candidates.set(slot, i * size));
  planes.forEach((plane, i) => plane.forEach((both, at) => {
    const cover = Math.floor(both);
    texels[i * count + at] = cover / 255;
    texels[(planes.length + i) * count + at] = ((both - cover) * 256 - 128) / 127;
  }));
  const { ground, cell, marks, origin, rest, place } = laid;
  return { candidates: ["int32", candidates, [hand.layers.length, slots.length / hand.layers.length, rows, columns]], ground, cell, marks,
    origin, texels: ["float32", texels, [2 * step * step, count]], rest, place };
}
