import { UserError } from '../../../errors.js'
import { type Hints, hintsIn } from '../weightFile.js'
import { PyObject, type PyValue } from './pickle.js'
import { REBUILD_PARAMETER, REBUILD_TENSOR } from './torchGlobals.js'

/** Where training programs keep the weights, in order of preference. */
const nestings = ['model', 'state_dict', 'model_state', 'model_state_dict', 'module', 'net', 'weights']
/** Longer texts, such as a log, are only named. */
const MAX_TEXT = 40

export interface StateDict {
  readonly dict: ReadonlyMap<PyValue, PyValue>
  /** The other fields of the file: `optimizer`, `epoch 49`. */
  readonly besides: readonly string[]
  /** Arguments of the training program. */
  readonly hints: Hints
}

/**
 * The weights by name: the object itself, or the value of a field such as `model`.
 *
 * @throws UserError that lists the fields, if none of them holds tensors
 */
export function findStateDict(value: PyValue, file: string): StateDict {
  if (!(value instanceof Map))
    throw new UserError(`${file}: ${described(value)}; expected a state dict: tensors by name`)
  // These first: a tensor beside them may be a metric.
  for (const name of nestings) {
    const inner = value.get(name)
    if (!(inner instanceof Map && holdsTensors(inner))) continue
    const rest = fields(value).filter(([key]) => key !== name)
    return { dict: inner, besides: rest.map(describe), hints: hintsOf(value) }
  }
  if (holdsTensors(value)) {
    const rest = fields(value).filter(([, item]) => !isTensor(item))
    return { dict: value, besides: rest.map(describe), hints: {} }
  }
  const found = fields(value).map(([name]) => name)
  throw new UserError(
    `${file}: no tensors; expected a state dict, or one in ${nestings.slice(0, 3).join(', ')}. Fields found: ${found.slice(0, 8).join(', ') || 'none'}`,
  )
}

/** Simple values of the field `args` or `config`: a Namespace or a dict. */
function hintsOf(saved: ReadonlyMap<PyValue, PyValue>): Hints {
  const args = saved.get('args') ?? saved.get('config') ?? null
  const state = args instanceof PyObject ? args.state : args
  return state instanceof Map ? hintsIn(Object.fromEntries(fields(state))) : {}
}

function isTensor(value: PyValue): boolean {
  return value instanceof PyObject && (value.type === REBUILD_TENSOR || value.type === REBUILD_PARAMETER)
}

function holdsTensors(map: ReadonlyMap<PyValue, PyValue>): boolean {
  return [...map.values()].some(isTensor)
}

/** Those with a text as name: another name, written out, may have no end. */
function fields(map: ReadonlyMap<PyValue, PyValue>): [string, PyValue][] {
  return [...map].filter((field): field is [string, PyValue] => typeof field[0] === 'string')
}

function describe([name, value]: [string, PyValue]): string {
  const isShort = typeof value === 'number' || (typeof value === 'string' && value.length <= MAX_TEXT)
  return isShort ? `${name} ${value}` : name
}

function described(value: PyValue): string {
  if (value instanceof PyObject) return isTensor(value) ? 'a single tensor' : `an object of ${value.type}`
  return Array.isArray(value) ? 'a list' : 'a single value'
}
