import type { Initialisation, ParameterSpec } from '../engine/parameters.js'

/**
 * Two styles of initialization. `pretraining`: Xavier-uniform weights and zero biases (MAE). `finetuning`: normal weights
 * of std 0.02 and zero biases; a checkpoint overwrites them, if one is given.
 */
export type InitStyle = 'pretraining' | 'finetuning'

const zero: Initialisation = { kind: 'constant', value: 0 }
const one: Initialisation = { kind: 'constant', value: 1 }

/** Glorot & Bengio 2010: uniform within ±√(6 / (fanIn + fanOut)). */
export function xavierUniform(fanOut: number, fanIn: number): Initialisation {
  return { kind: 'uniform', bound: Math.sqrt(6 / (fanIn + fanOut)) }
}

/** A linear layer's weight [out, in] and bias [out]. */
export function linearParameters(
  name: string,
  out: number,
  inputs: number,
  style: InitStyle,
): ParameterSpec[] {
  const init: Initialisation =
    style === 'pretraining' ? xavierUniform(out, inputs) : { kind: 'truncatedNormal', std: 0.02 }
  return [
    { name: `${name}.weight`, shape: [out, inputs], init },
    { name: `${name}.bias`, shape: [out], init: zero },
  ]
}

/** A linear layer with PyTorch's default: weight and bias uniform within ±1/√in. */
export function defaultLinearParameters(name: string, out: number, inputs: number): ParameterSpec[] {
  const init: Initialisation = { kind: 'uniform', bound: 1 / Math.sqrt(inputs) }
  return [
    { name: `${name}.weight`, shape: [out, inputs], init },
    { name: `${name}.bias`, shape: [out], init },
  ]
}

export function normParameters(name: string, width: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [width], init: one },
    { name: `${name}.bias`, shape: [width], init: zero },
  ]
}

export function countParameters(specs: readonly ParameterSpec[]): number {
  return specs.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
}
