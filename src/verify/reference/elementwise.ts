import { type Array64, map, reshaped } from '../array64.js'
import { geluSlope, geluValue } from './erf.js'
import type { Reference } from './reference.js'

export const geluReference: Reference = {
  forward: ([x]) => map(x, geluValue),
  gradients: ([x], dy) => [map(dy, (g, i) => g * geluSlope(x.data[i]))],
}

export const addReference: Reference = {
  forward: ([a, b]) => map(a, (value, i) => value + b.data[i]),
  gradients: (_inputs, dy) => [dy, dy],
}

/** All elements in one row. */
export const flatReference: Reference = {
  forward: ([x]) => reshaped(x, [x.size]),
  gradients: ([x], dy) => [reshaped(dy, x.shape)],
}

export function scaleReference(factor: number): Reference {
  return {
    forward: ([x]) => map(x, (value) => factor * value),
    gradients: (_inputs, dy) => [map(dy, (g) => factor * g)],
  }
}

/** Forward the identity, backward −λ: not the derivative of anything, hence no finite differences for it. */
export const gradientReversalReference: Reference = {
  forward: ([x]) => x,
  gradients: ([, lambda], dy) => [map(dy, (g) => -lambda.data[0] * g), null],
}

/** x + keep[b]·branch; inputs x, branch and, with drop path, keep, which gets no gradient. */
export const residualReference: Reference = {
  forward: ([x, branch, keep]) => map(x, (value, i) => value + keepAt(x, keep, i) * branch.data[i]),
  gradients: ([x, , keep], dy) => {
    const dBranch = map(dy, (g, i) => keepAt(x, keep, i) * g)
    return keep ? [dy, dBranch, null] : [dy, dBranch]
  },
}

function keepAt(x: Array64, keep: Array64 | undefined, index: number): number {
  return keep ? keep.data[Math.floor(index / (x.size / x.shape[0]))] : 1
}
