/** WGSL that both matmul variants share: parameters, and which part of the product a workgroup has. */
import { flatWorkgroupWgsl } from './kernel.js'

export const matmulParamsWgsl = /* wgsl */ `
struct Params {
  m: u32,
  n: u32,
  k: u32,
  tilesM: u32,
  tilesN: u32,
  splits: u32,
  kPerSplit: u32,
  workgroups: u32,
}

${flatWorkgroupWgsl}

// The tile of C and the range of k that one workgroup has. Neighbouring workgroups share rows of A.
struct Part {
  tileRow: u32,
  tileColumn: u32,
  batch: u32,
  slice: u32,  // batch · splits + split: which C
  kStart: u32,
  kEnd: u32,
}

fn partOf(flat: u32, params: Params) -> Part {
  let tile = flat / params.tilesN;
  let slice = tile / params.tilesM;
  let batch = slice / params.splits;
  let kStart = (slice - batch * params.splits) * params.kPerSplit;
  return Part(
    tile - slice * params.tilesM,
    flat - tile * params.tilesN,
    batch,
    slice,
    kStart,
    min(kStart + params.kPerSplit, params.k),
  );
}
`

/** Repeats text for 0…count-1: register blocks are written out, because registers cannot be indexed at run time. */
export function unroll(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join('\n')
}
