// Sees frames for all painters, one after the other: their pixels at the size that is painted.
import { answer } from "./calls.js";
import { Still } from "./still.js";

const canvas = new OffscreenCanvas(8, 8);
const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
let film, still;  // the video that is seen, by its number, and what of it stands still

answer({ look });

// Returns a frame (VideoFrame or ImageBitmap) and its pixels, RGBA. Strokes would jump with the noise of a camera: of a film,
// which has a number, `kept` is what to paint instead, where what stands still is as it was.
async function look({ frame, width, height, film: next }) {
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  context.imageSmoothingQuality = "medium";
  context.drawImage(frame, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height).data;
  if (!next) return [{ frame, pixels }, [frame, pixels.buffer]];
  if (next !== film) { film = next; still = new Still(); }
  const kept = still.take(pixels, width, height).slice();
  return [{ frame, pixels, kept }, [frame, pixels.buffer, kept.buffer]];
}
