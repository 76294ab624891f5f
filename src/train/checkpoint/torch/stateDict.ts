import { UserError } from '../../../errors.js'
import { PyObject, type PyValue } from './pickle.js'
import { REBUILD_PARAMETER, REBUILD_TENSOR } from './torchGlobals.js'

/** Where training programs keep the weights, in order of preference. */
const nestings = ['model', 'state_dict', 'model_state', 'model_state_dict', 'module', 'net', 'weights']

export interface StateDict {
  readonly dict: ReadonlyMap<PyValue, PyValue>
  /** The other fields of the file: `optimizer`, `epoch 49`. */
  readonly besides: readonly string[]
}

/**
 * The weights by name: the object itself, or the value of a field such as `model`.
 *
 * @throws UserError that lists the fields, if none of them holds tensors
 */
export function findStateDict(value: PyValue, file: string): StateDict {
  if (!(value instanceof Map))
    throw new UserError(`${file}: ${described(value)}; expected a state dict: tensors by name`)
  if (holdsTensors(value))
    return {
      dict: value,
      besides: fields(value)
        .filter(([, item]) => !isTensor(item))
        .map(describe),
    }
  for (const name of nestings) {
    const inner = value.get(name)
    if (inner instanceof Map && holdsTensors(inner))
      return {
        dict: inner,
        besides: fields(value)
          .filter(([key]) => key !== name)
          .map(describe),
      }
  }
  const found = fields(value).map(([name]) => name)
  throw new UserError(
    `${file}: no tensors; expected a state dict, or one in ${nestings.slice(0, 3).join(', ')}. Fields found: ${found.slice(0, 8).join(', ') || 'none'}`,
  )
}

function isTensor(value: PyValue): boolean {
  return value instanceof PyObject && (value.type === REBUILD_TENSOR || value.type === REBUILD_PARAMETER)
}

function holdsTensors(map: ReadonlyMap<PyValue, PyValue>): boolean {
  return [...map.values()].some(isTensor)
}

function fields(map: ReadonlyMap<PyValue, PyValue>): [string, PyValue][] {
  return [...map].map(([name, value]) => [String(name), value])
}

function describe([name, value]: [string, PyValue]): string {
  return typeof value === 'number' || typeof value === 'string' ? `${name} ${value}` : name
}

function described(value: PyValue): string {
  if (value instanceof PyObject) return isTensor(value) ? 'a single tensor' : `an object of ${value.type}`
  return Array.isArray(value) ? 'a list' : 'a single value'
}
