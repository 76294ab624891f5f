import { UserError } from '../../../errors.js'
import { bytesPerElement, type StoredType } from '../storedTypes.js'
import type { StoredTensor } from '../weightFile.js'
import { PersistentId, PyGlobal, PyObject, type PyValue } from './pickle.js'
import { REBUILD_PARAMETER, REBUILD_TENSOR, storageType } from './torchGlobals.js'

/** A PyTorch tensor: elements of a storage, which other tensors may share. */
export interface TensorView {
  readonly storage: StorageRef
  /** Position of the first element, in elements. */
  readonly offset: number
  readonly shape: readonly number[]
  /** Distance between neighbors along each axis, in elements. */
  readonly strides: readonly number[]
}

export interface StorageRef {
  readonly key: string
  readonly type: StoredType
}

/** `length` bytes of a storage from `offset` on. */
export type ReadStorage = (key: string, offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>

/** The storages of a file. */
export interface Storages {
  /** Bytes of each storage by its key. */
  readonly sizes: ReadonlyMap<string, number>
  readonly read: ReadStorage
}

/** More than any network has; many tensors can share one endless shape. */
const MAX_RANK = 64

/** The tensor that this object describes; null if it is none. `where` begins messages. */
export function tensorView(value: PyValue, where: string): TensorView | null {
  if (!(value instanceof PyObject)) return null
  if (value.type === REBUILD_PARAMETER) return tensorView(parameterData(value, where), where)
  if (value.type !== REBUILD_TENSOR) return null
  const [storage, offset, shape, strides] = value.args
  const isCount = (number: PyValue): number is number => Number.isSafeInteger(number) && Number(number) >= 0
  const isList = (list: PyValue): list is number[] =>
    Array.isArray(list) && list.length <= MAX_RANK && list.every(isCount)
  if (!isCount(offset) || !isList(shape) || !isList(strides) || shape.length !== strides.length)
    throw new UserError(`${where}: its position, shape or strides are damaged`)
  return { storage: storageRef(storage, where), offset, shape, strides }
}

/** A parameter holds a tensor, not another parameter: nested ones would recurse without end. */
function parameterData({ args: [data] }: PyObject, where: string): PyValue {
  if (data instanceof PyObject && data.type === REBUILD_TENSOR) return data
  throw new UserError(`${where}: a parameter without a tensor`)
}

/** The persistent id of a storage is ('storage', class, key, device, elements), and in the old format its view. */
export function storageRef(value: PyValue, where: string): StorageRef {
  const id = value instanceof PersistentId ? value.id : null
  const [kind, type, key, , , view = null] = Array.isArray(id) ? id : []
  if (kind !== 'storage' || !(type instanceof PyGlobal) || typeof key !== 'string')
    throw new UserError(`${where}: its storage is not one that torch.save writes`)
  if (view !== null)
    throw new UserError(
      `${where}: its storage is a view, as PyTorch before 0.4 saves; expected a whole storage`,
    )
  const stored = storageType(type.name)
  if (!stored) throw new UserError(`${where}: ${type.name} is not supported`)
  return { key, type: stored }
}

/**
 * The tensor in row-major order, whatever its strides.
 *
 * @throws UserError if it leads outside its storage, or has more elements than it
 */
export function storedTensor(view: TensorView, { sizes, read }: Storages, where: string): StoredTensor {
  const { storage, offset, shape, strides } = view
  const width = bytesPerElement[storage.type]
  const available = sizes.get(storage.key)
  if (available === undefined) throw new UserError(`${where}: its storage ${storage.key} is missing`)
  const elements = Math.floor(available / width)
  const count = shape.reduce((product, size) => product * size, 1)
  const span = count === 0 ? 0 : 1 + shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 0)
  if (!(offset + span <= elements))
    throw new UserError(
      `${where}: [${shape}] with strides [${strides}] from element ${offset} on leads outside its storage of ${elements} elements`,
    )
  // A stride of 0 repeats elements: 8 bytes could ask for any amount of memory.
  if (!(count <= elements))
    throw new UserError(`${where}: [${shape}] has more elements than its storage, ${elements}`)
  return {
    shape,
    type: storage.type,
    async bytes() {
      const bytes = await read(storage.key, offset * width, span * width)
      return isRowMajor(shape, strides) ? bytes : gathered(bytes, view, count, width)
    },
  }
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis]
  }
  return true
}

function gathered(
  bytes: Uint8Array,
  { shape, strides }: TensorView,
  count: number,
  width: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(count * width)
  const index = shape.map(() => 0)
  let from = 0
  for (let to = 0; to < count; to++) {
    for (let byte = 0; byte < width; byte++) out[to * width + byte] = bytes[from * width + byte]
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]
      if (++index[axis] < shape[axis]) break
      from -= strides[axis] * shape[axis]
      index[axis] = 0
    }
  }
  return out
}
