/**
 * How far apart two tensors are: largest |got − expected|, and Σ expected² to set it against. The tuner
 * compares results of kernel variants by it without reading them.
 *
 * Mapping  up to 1,024 invocations stride over the tensors, each leaves two numbers; the host puts them
 *          together. No workgroup memory.
 * Numerics f32. An element of `got` that is not finite counts as the largest number there is (a test of its
 *          bits, since compilers may drop x != x).
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { type StoredType, storedBytes, storedSuffix, storedWgsl } from './stored.js'

const WORKGROUP_SIZE = 64

/** How many pairs of numbers the kernel leaves for `count` elements. */
export function disagreementPairs(count: number): number {
  return Math.min(1024, Math.ceil(count / 64))
}

/**
 * Bindings: got, expected, both `stored` [count], pairs f32 [disagreementPairs(count), 2]: (largest
 * difference, sum of squares).
 */
export function disagreement(_caps: KernelCaps, count: number, stored: StoredType): Kernel {
  const pairs = disagreementPairs(count)
  return {
    name: `disagreement${storedSuffix(stored)}`,
    key: `disagreement${storedSuffix(stored)}`,
    bindings: ['read', 'read', 'write'],
    params: [count, pairs],
    workgroups: flatGrid(pairs, WORKGROUP_SIZE),
    cost: { flops: 4 * count, bytes: 2 * storedBytes(stored) * count },
    code: () => code(stored),
  }
}

const code = (stored: StoredType) => wgsl`
${storedWgsl(stored)}
@group(0) @binding(0) var<storage, read> got: array<Stored>;
@group(0) @binding(1) var<storage, read> expected: array<Stored>;
@group(0) @binding(2) var<storage, read_write> pairs: array<vec2f>;

struct Params { count: u32, pairs: u32 }
@group(0) @binding(3) var<uniform> params: Params;

const exponent = 0x7f800000u;
const largestNumber = 3.4e38;
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let slot = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  if (slot >= params.pairs) {
    return;
  }
  var largest = 0.0;
  var squares = 0.0;
  for (var index = slot; index < params.count; index += params.pairs) {
    let value = f32(got[index]);
    let wanted = f32(expected[index]);
    let finite = (bitcast<u32>(value) & exponent) != exponent;
    largest = max(largest, select(largestNumber, abs(value - wanted), finite));
    squares += wanted * wanted;
  }
  pairs[slot] = vec2f(largest, squares);
}
`
