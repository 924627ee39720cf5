// Lays canvases as the page does: node lay.mjs CANVAS_JS < [[strokes, height, width], ...]; prints hashes of what it laid.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { layCanvas } = await import(pathToFileURL(process.argv[2]));
const laid = JSON.parse(readFileSync(0, "utf8")).map(asked => Object.fromEntries(
  Object.entries(layCanvas(...asked)).map(([name, [type, values, shape]]) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return [name, [type, shape, createHash("sha256").update(bytes).digest("hex")]];
  })));
console.log(JSON.stringify(laid));
