/**
 * NaN / Inf sentinel: scans a tensor and, if any element is not finite, writes the number of the op that made
 * it into a flag, unless an earlier op is already there. Dispatches run in order, so after a step the flag
 * names the first op that went bad; 0 means none did.
 *
 * The test is on the bits (exponent all ones): shader compilers may assume that NaN does not occur and drop x
 * != x. All invocations of a dispatch store the same number, so their race is harmless; the flag is atomic to
 * make it legal.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { type StoredType, storedBytes, storedSuffix } from './stored.js'

const WORKGROUP_SIZE = 64
const ELEMENTS_PER_INVOCATION = 32

/**
 * Bindings: x f32 or f16 [count], flag u32 [1] (0 arms it). `opNumber` ≥ 1; numbers that start anew each step
 * keep the parameter blocks few.
 */
export function sentinelScan(_caps: KernelCaps, count: number, opNumber: number, stored: StoredType): Kernel {
  if (opNumber < 1) throw new RangeError(`sentinel: op numbers start at 1, got ${opNumber}`)
  // Two halves share a word; the last one may be filled up with anything.
  const words = Math.ceil((storedBytes(stored) * count) / 4)
  const vector = words % 4 === 0 && words * 4 === storedBytes(stored) * count
  const lastWordBits = words * 4 === storedBytes(stored) * count ? 0xffffffff : 0xffff
  return {
    name: `sentinel${storedSuffix(stored)}`,
    key: `sentinel/${vector}${storedSuffix(stored)}`,
    bindings: ['read', 'write'],
    params: [vector ? words / 4 : words, opNumber, lastWordBits],
    workgroups: flatGrid(Math.ceil(count / ELEMENTS_PER_INVOCATION), WORKGROUP_SIZE),
    cost: { flops: count, bytes: storedBytes(stored) * count },
    code: () => code(vector, stored),
  }
}

const code = (vector: boolean, stored: StoredType) => wgsl`
#if ${vector}
alias Bits = vec4u;
#else
alias Bits = u32;
#endif
@group(0) @binding(0) var<storage, read> bits: array<Bits>;
@group(0) @binding(1) var<storage, read_write> flag: atomic<u32>;

struct Params { loads: u32, opNumber: u32, lastWordBits: u32 }
@group(0) @binding(2) var<uniform> params: Params;

// All ones in the exponent: of a float, or of the two halves in a word.
fn isBad(word: Bits) -> bool {
#if ${stored === 'f16'}
  return any((word & Bits(0x7c00u)) == Bits(0x7c00u)) || any((word & Bits(0x7c000000u)) == Bits(0x7c000000u));
#else
  return any((word & Bits(0x7f800000u)) == Bits(0x7f800000u));
#endif
}
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let first = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  let stride = workgroups.x * workgroups.y * ${WORKGROUP_SIZE}u;
  var bad = false;
  for (var index = first; index < params.loads; index += stride) {
    let mask = select(0xffffffffu, params.lastWordBits, index == params.loads - 1u);
    bad = bad || isBad(bits[index] & Bits(mask));
  }
  if (bad && atomicLoad(&flag) == 0u) {
    atomicStore(&flag, params.opNumber);
  }
}
`
