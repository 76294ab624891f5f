/**
 * Kernels that treat every element alike: GELU and its derivative, sums, scalings, the drop-path residual.
 *
 * Shapes   `size` elements per array; `keep` holds one factor per sample of `size / samples` consecutive
 *          elements.
 * Mapping  see perValue.ts; registers only. All are bound by memory speed except GELU.
 * Numerics arithmetic in f32, arrays f32 or f16; GELU is the exact one (see erf.ts), not the tanh
 *          approximation.
 */
import { erfWgsl } from './erf.js'
import { f32, type Kernel, type KernelCaps } from './kernel.js'
import { perValueKernel, readOnly, valueWidth, writable } from './perValue.js'
import { type StoredType, storedBytes } from './stored.js'

/** gelu(x) = x·Φ(x). Bindings: x, y. */
export function geluForward(caps: KernelCaps, size: number, stored: StoredType): Kernel {
  const width = valueWidth(size)
  return perValueKernel(caps, {
    name: 'geluForward',
    values: size / width,
    width,
    stored,
    buffers: [readOnly('x'), writable('y')],
    prelude: erfWgsl,
    statement: `let v = Value(x[index]); y[index] = Held(${perComponent('geluExact', width)});`,
    cost: { flops: 30 * size, bytes: 2 * storedBytes(stored) * size },
  })
}

/** dx = dy·gelu′(x). Bindings: x (the input of gelu), dy, dx. */
export function geluBackward(caps: KernelCaps, size: number, stored: StoredType): Kernel {
  const width = valueWidth(size)
  return perValueKernel(caps, {
    name: 'geluBackward',
    values: size / width,
    width,
    stored,
    buffers: [readOnly('x'), readOnly('dy'), writable('dx')],
    prelude: erfWgsl,
    statement: `
    let v = Value(x[index]);
    dx[index] = Held(Value(dy[index]) * ${perComponent('geluDerivative', width)});`,
    cost: { flops: 37 * size, bytes: 3 * storedBytes(stored) * size },
  })
}

/** sum = a + b. Bindings: a, b, sum. */
export function addForward(caps: KernelCaps, size: number, stored: StoredType): Kernel {
  const width = valueWidth(size)
  return perValueKernel(caps, {
    name: 'add',
    values: size / width,
    width,
    stored,
    buffers: [readOnly('a'), readOnly('b'), writable('sum')],
    statement: 'sum[index] = Held(Value(a[index]) + Value(b[index]));',
    cost: { flops: size, bytes: 3 * storedBytes(stored) * size },
  })
}

/** total += x, in place. Bindings: total (read and written), x. */
export function addInto(caps: KernelCaps, size: number): Kernel {
  const width = valueWidth(size)
  return perValueKernel(caps, {
    name: 'addInto',
    values: size / width,
    width,
    stored: 'f32',
    buffers: [writable('total'), readOnly('x')],
    statement: 'total[index] += x[index];',
    cost: { flops: size, bytes: 12 * size },
  })
}

/**
 * y = factor·x. The factor is a constant of the model, not something that changes by step. Bindings: x, y.
 */
export function scaleForward(caps: KernelCaps, size: number, factor: number, stored: StoredType): Kernel {
  const width = valueWidth(size)
  return perValueKernel(caps, {
    name: 'scale',
    values: size / width,
    width,
    stored,
    buffers: [readOnly('x'), writable('y')],
    parameters: [['factor: f32', f32(factor)]],
    statement: 'y[index] = Held(params.factor * Value(x[index]));',
    cost: { flops: size, bytes: 2 * storedBytes(stored) * size },
  })
}

/**
 * Gradient reversal: dx = −λ·dy. λ is data, so that it may change by step. Bindings: dy, lambda f32 [1], dx.
 */
export function reverseGradient(caps: KernelCaps, size: number, stored: StoredType): Kernel {
  const width = valueWidth(size)
  return perValueKernel(caps, {
    name: 'reverseGradient',
    values: size / width,
    width,
    stored,
    buffers: [readOnly('dy'), { ...readOnly('lambda'), type: 'f32' }, writable('dx')],
    statement: 'dx[index] = Held(-lambda[0] * Value(dy[index]));',
    cost: { flops: size, bytes: 2 * storedBytes(stored) * size },
  })
}

/** Residual with drop path: y = x + keep[sample]·branch. Bindings: x, branch, keep [samples], y. */
export function residualForward(caps: KernelCaps, size: number, samples: number, stored: StoredType): Kernel {
  const width = valueWidth(size / samples)
  return perValueKernel(caps, {
    name: 'residual',
    values: size / width,
    width,
    stored,
    buffers: [readOnly('x'), readOnly('branch'), { ...readOnly('keep'), type: 'f32' }, writable('y')],
    parameters: [['valuesPerSample: u32', size / samples / width]],
    statement: `
    let scale = keep[index / params.valuesPerSample];
    y[index] = Held(Value(x[index]) + scale * Value(branch[index]));`,
    cost: { flops: 2 * size, bytes: 3 * storedBytes(stored) * size + 4 * samples },
  })
}

/** Scales every sample by its own factor: y = keep[sample]·x. Bindings: x, keep [samples], y. */
export function scaleSamples(caps: KernelCaps, size: number, samples: number, stored: StoredType): Kernel {
  const width = valueWidth(size / samples)
  return perValueKernel(caps, {
    name: 'scaleSamples',
    values: size / width,
    width,
    stored,
    buffers: [readOnly('x'), { ...readOnly('keep'), type: 'f32' }, writable('y')],
    parameters: [['valuesPerSample: u32', size / samples / width]],
    statement: 'y[index] = Held(keep[index / params.valuesPerSample] * Value(x[index]));',
    cost: { flops: size, bytes: 2 * storedBytes(stored) * size + 4 * samples },
  })
}

/** Applies a scalar WGSL function to the value `v`, component by component. */
function perComponent(fn: string, width: 1 | 4): string {
  return width === 4 ? `vec4f(${fn}(v.x), ${fn}(v.y), ${fn}(v.z), ${fn}(v.w))` : `${fn}(v)`
}
