// Where a painting's time goes in a browser's WASM, by kind of operator and by part of the stroke head:
//     node tools/web_profile.mjs SITE [PRECISION] [WIDTHxHEIGHT]
// SITE is what `pleinair export SOURCE --target web --out SITE` wrote. One thread of Node.js, whose engine is Chromium's; of each
// operator the quickest of ten runs counts, so a busy machine hardly shows. Times are in ms.
import fs, { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [site, precision = "int8", size = "640x360"] = process.argv.slice(2), RUNS = 10;
const at = name => pathToFileURL(resolve(site, name)).href;
const told = [], { writeSync } = fs;
fs.writeSync = (_, text) => told.push(text);  // ONNX Runtime writes its profile to stdout

const ort = await import(at("ort/ort.wasm.min.mjs")), { layCanvas } = await import(at("app/canvas.js"));
ort.env.wasm.wasmPaths = `${at("ort")}/`;
ort.env.wasm.numThreads = 1;
const manifest = JSON.parse(readFileSync(resolve(site, "manifest.json"))), multiple = manifest.frame.multiple_of;
const artifact = manifest.artifacts.find(one => one.target === "web" && one.precision === precision);
const [columns, rows] = size.split("x").map(side => Math.ceil(side / multiple) * multiple);
const model = new Uint8Array(readFileSync(resolve(site, artifact.path)));
const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"], enableProfiling: true });
const laid = manifest.strokes ? layCanvas(manifest.strokes, rows, columns) : {};
const fed = Object.fromEntries(Object.entries(laid).map(([name, [type, values, shape]]) => [name, new ort.Tensor(type, values, shape)]));
const pixels = Uint8Array.from({ length: rows * columns * 3 }, (_, i) => 128 + 100 * Math.sin(i / 997));
fed.frame = new ort.Tensor("uint8", pixels, [1, rows, columns, 3]);
for (let run = 0; run < RUNS; run++) await session.run(fed, session.outputNames.slice(0, 1));
session.endProfiling();
fs.writeSync = writeSync;  // which console.log needs where stdout is a file

const profile = told.join("");
const events = JSON.parse(profile.slice(profile.indexOf("[\n{"), profile.lastIndexOf("]") + 1));
const best = new Map();
for (const { cat, name, dur, args } of events)
  if (cat === "Node" && name.endsWith("_kernel_time")) {
    const known = best.get(name);
    if (!known || dur < known.dur) best.set(name, { dur, operator: args.op_name, part: /^head\.([a-z]+)\./.exec(name)?.[1] ?? "network" });
  }
const table = key => {
  const sums = new Map();
  for (const one of best.values()) {
    const sum = sums.get(one[key]) ?? { ms: 0, operators: 0 };
    sums.set(one[key], { ms: sum.ms + one.dur / 1000, operators: sum.operators + 1 });
  }
  return [...sums].sort((a, b) => b[1].ms - a[1].ms).map(([name, { ms, operators }]) => `${ms.toFixed(2).padStart(8)}  ${name}, ${operators} operators`);
};
console.log([`${[...best.values()].reduce((sum, { dur }) => sum + dur / 1000, 0).toFixed(1)} ms at ${columns}x${rows}`,
  ...table("part"), "", ...table("operator")].join("\n"));
