// Takes a film as the page does: node still.mjs STILL_JS WIDTH HEIGHT < RGB frames, one after the other; writes what it keeps.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { Still } = await import(pathToFileURL(process.argv[2]));
const [width, height] = process.argv.slice(3).map(Number), film = readFileSync(0), size = width * height;
const still = new Still(), out = [];
for (let begin = 0; begin < film.length; begin += 3 * size) {
  const frame = new Uint8ClampedArray(4 * size).fill(255);
  for (let i = 0; i < size; i++) frame.set(film.subarray(begin + 3 * i, begin + 3 * i + 3), 4 * i);
  const kept = still.take(frame, width, height), rgb = Buffer.alloc(3 * size);
  for (let i = 0; i < size; i++) rgb.set(kept.subarray(4 * i, 4 * i + 3), 3 * i);
  out.push(rgb);
}
writeFileSync(1, Buffer.concat(out));
