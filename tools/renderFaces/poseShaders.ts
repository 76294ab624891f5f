/**
 * WGSL that poses heads: blend identities, blend expressions, find normals. Sizes: V vertices, N tiles
 * (pictures) in flight. Heads are float triples, [N, V, 3]. Every sum runs in a fixed order.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'

export const workgroupSize = 64
/** People whose shapes one invocation of `blendIdentities` sums: each mode is read once for all of them. */
export const peopleAtOnce = 4

/** Sizes that the compute kernels share. `rowWords`: u32 words of one shape, two 16-bit numbers each. */
const sizes = wgsl`
struct Sizes {
  floats: u32,
  rowWords: u32,
  shapes: u32,
  people: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;

// Low and high half of a word as signed 16-bit numbers.
fn signedHalves(word: u32) -> vec2f {
  return vec2f(vec2i(i32(word << 16u) >> 16u, i32(word) >> 16u));
}
`

/**
 * People at rest: head[p] = neutral + Σ_k weight[p, k]·mode[k], the weight times the mode's scale.
 * One invocation: two neighbouring floats of four people.
 */
export const blendIdentities = wgsl`
${sizes}
@group(0) @binding(1) var<storage, read> neutral: array<f32>;
@group(0) @binding(2) var<storage, read> modes: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> heads: array<f32>;

@compute @workgroup_size(${workgroupSize})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let word = id.x;
  if (word >= sizes.rowWords) { return; }
  let first = 2u * word;
  let hasSecond = first + 1u < sizes.floats;
  let rest = vec2f(neutral[first], select(0.0, neutral[min(first + 1u, sizes.floats - 1u)], hasSecond));

  let person = id.y * ${peopleAtOnce}u;
  var sum: array<vec2f, ${peopleAtOnce}>;
  for (var mode = 0u; mode < sizes.shapes; mode++) {
    let offset = signedHalves(modes[mode * sizes.rowWords + word]);
    for (var i = 0u; i < ${peopleAtOnce}u; i++) {
      sum[i] += weights[(person + i) * sizes.shapes + mode] * offset;
    }
  }
  for (var i = 0u; i < ${peopleAtOnce}u && person + i < sizes.people; i++) {
    let at = (person + i) * sizes.floats + first;
    heads[at] = rest.x + sum[i].x;
    if (hasSecond) { heads[at + 1u] = rest.y + sum[i].y; }
  }
}
`

/**
 * Posed heads: position[n] = head[person[n]] + Σ_e weight[n, e]·shape[e]; gums, tongue and teeth then move back
 * by 0.15 cm (facs.json, rule inner_mouth). One invocation: two neighbouring floats of one tile.
 */
export const poseHeads = wgsl`
${sizes}
@group(0) @binding(1) var<storage, read> heads: array<f32>;
@group(0) @binding(2) var<storage, read> shapes: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> personOfTile: array<u32>;
@group(0) @binding(5) var<storage, read> setBack: array<f32>;
@group(0) @binding(6) var<storage, read_write> positions: array<f32>;

@compute @workgroup_size(${workgroupSize})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let word = id.x;
  let tile = id.y;
  if (word >= sizes.rowWords) { return; }
  var sum = vec2f(0.0);
  for (var shape = 0u; shape < sizes.shapes; shape++) {
    let weight = weights[tile * sizes.shapes + shape];
    // The same for all invocations of a workgroup; most shapes are at rest.
    if (weight == 0.0) { continue; }
    sum += weight * signedHalves(shapes[shape * sizes.rowWords + word]);
  }
  let head = personOfTile[tile] * sizes.floats;
  for (var half = 0u; half < 2u; half++) {
    let i = 2u * word + half;
    if (i >= sizes.floats) { return; }
    let back = select(0.0, setBack[i / 3u], i % 3u == 2u);
    positions[tile * sizes.floats + i] = heads[head + i] + sum[half] - back;
  }
}
`

/**
 * Vertex normals: the cross products of all triangles around a vertex, summed and normalised. The triangles
 * come as rows: those of vertex v are corner pairs cornerStart[v]…cornerStart[v + 1], each the other two vertices.
 */
export const findNormals = wgsl`
${sizes}
@group(0) @binding(1) var<storage, read> positions: array<f32>;
@group(0) @binding(2) var<storage, read> cornerStart: array<u32>;
@group(0) @binding(3) var<storage, read> corners: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> normals: array<f32>;

fn positionOf(tile: u32, vertex: u32) -> vec3f {
  let at = tile * sizes.floats + 3u * vertex;
  return vec3f(positions[at], positions[at + 1u], positions[at + 2u]);
}

@compute @workgroup_size(${workgroupSize})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let vertex = id.x;
  let tile = id.y;
  if (3u * vertex >= sizes.floats) { return; }
  let own = positionOf(tile, vertex);
  var sum = vec3f(0.0);
  for (var i = cornerStart[vertex]; i < cornerStart[vertex + 1u]; i++) {
    let pair = corners[i];
    sum += cross(positionOf(tile, pair.x) - own, positionOf(tile, pair.y) - own);
  }
  let normal = sum / max(length(sum), 1e-12);
  let at = tile * sizes.floats + 3u * vertex;
  normals[at] = normal.x;
  normals[at + 1u] = normal.y;
  normals[at + 2u] = normal.z;
}
`
