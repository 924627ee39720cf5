// Random numbers that follow from where they are wanted: the same as canvas/randoms.py, bit by bit.

/** Returns what draws a seed's and a stream's random numbers in [0, 1), each for one to three integers. */
export function stream(seed, number) {
  const begun = mix((mix((seed ^ 0x9E3779B9) >>> 0) ^ number) >>> 0);
  return (a, b, c) => {
    let mixed = mix((begun ^ a) >>> 0);
    if (b !== undefined) mixed = mix((mixed ^ b) >>> 0);
    if (c !== undefined) mixed = mix((mixed ^ c) >>> 0);
    return mixed / 4294967296;
  };
}

// The finalizer of MurmurHash3 (Appleby 2011).
function mix(value) {
  value = (value + 0x9E3779B9) >>> 0;
  value = Math.imul(value ^ (value >>> 16), 0x85EBCA6B);
  value = Math.imul(value ^ (value >>> 13), 0xC2B2AE35);
  return (value ^ (value >>> 16)) >>> 0;
}
