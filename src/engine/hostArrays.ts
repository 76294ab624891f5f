/** How numbers move between host and device: one array type per element type, and its size in bytes. */
import { fromHalves, toHalves } from './float16.js'

export type DType = 'f32' | 'f16' | 'u32' | 'i32'

/** Host arrays. An f16 tensor is read and written as f32. */
export type HostArray = Float32Array | Uint32Array | Int32Array

/** Values that the host may write: an array of numbers of any type. */
export type HostNumbers =
  | readonly number[]
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array

/** Bytes of `count` elements, rounded up to the 4 bytes in which WebGPU binds and copies. */
export function byteLength(dtype: DType, count: number): number {
  checkDType(dtype)
  return dtype === 'f16' ? Math.ceil(count / 2) * 4 : 4 * count
}

/**
 * The bytes to upload for `values`: the same numbers, rounded where the tensor holds floats.
 *
 * @throws TypeError if a value is not a number or there is no such type, RangeError if an integer tensor cannot hold it.
 */
export function toDevice(values: HostNumbers, dtype: DType): HostArray | Uint16Array {
  checkDType(dtype)
  if (dtype === 'f16') {
    const padded = new Uint16Array(byteLength('f16', values.length) / 2)
    padded.set(toHalves(checkNumbers(values)))
    return padded
  }
  const Own = arrayTypes[dtype]
  if (values instanceof Own) return values
  const numbers = checkNumbers(values)
  return new Own(dtype === 'f32' ? numbers : checkWhole(numbers, dtype))
}

const arrayTypes = { f32: Float32Array, u32: Uint32Array, i32: Int32Array } as const
const wholeNumbers = { u32: [0, 2 ** 32 - 1], i32: [-(2 ** 31), 2 ** 31 - 1] } as const

/** Callers may be untyped. @throws TypeError if there is no such element type. */
function checkDType(dtype: DType): void {
  if (dtype !== 'f16' && !Object.hasOwn(arrayTypes, dtype))
    throw new TypeError(`dtype: "${dtype}"; expected f32, f16, u32 or i32`)
}

/** Callers may be untyped: rejects BigInts, raw bytes and holes. */
function checkNumbers(values: HostNumbers): HostNumbers {
  const isArray = Array.isArray(values) || (ArrayBuffer.isView(values) && 'length' in values)
  if (!isArray || typeof (values[0] as unknown) === 'bigint') {
    const kind = (values as unknown)?.constructor?.name ?? String(values)
    throw new TypeError(`write: ${kind}; expected an array of numbers`)
  }
  const wrong = Array.isArray(values) ? values.findIndex((value) => typeof value !== 'number') : -1
  if (wrong >= 0) throw new TypeError(`write: value ${wrong} is ${values[wrong]}; expected a number`)
  return values
}

function checkWhole(values: HostNumbers, dtype: 'u32' | 'i32'): HostNumbers {
  const [least, most] = wholeNumbers[dtype]
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (Number.isInteger(value) && value >= least && value <= most) continue
    const takes = `a ${dtype} tensor takes integers from ${least} to ${most}`
    throw new RangeError(`write: value ${i} is ${value}; ${takes}`)
  }
  return values
}

/** `count` elements out of downloaded bytes. */
export function fromDevice(bytes: ArrayBuffer, dtype: DType, count: number): HostArray {
  if (dtype === 'f16') return fromHalves(new Uint16Array(bytes, 0, count))
  if (dtype === 'u32') return new Uint32Array(bytes)
  return dtype === 'i32' ? new Int32Array(bytes) : new Float32Array(bytes)
}
