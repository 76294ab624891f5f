import { fromHalves } from '../../engine/float16.js'
import { UserError } from '../../errors.js'

/** Values in memory: f32, i32, u32 or u8. */
export type TensorArray = Float32Array | Int32Array | Uint32Array | Uint8Array

/** Bytes per element of the types that can be read. */
export const bytesPerElement = {
  F32: 4,
  F16: 2,
  BF16: 2,
  F64: 8,
  I8: 1,
  I16: 2,
  I32: 4,
  I64: 8,
  U8: 1,
  U16: 2,
  U32: 4,
  U64: 8,
  BOOL: 1,
} as const
/** Element types of files, by their names in safetensors. */
export type StoredType = keyof typeof bytesPerElement

export function isStoredType(dtype: string): dtype is StoredType {
  return Object.hasOwn(bytesPerElement, dtype)
}

/** True for types whose values are numbers with a fraction, as weights are. */
export function isFloatType(type: StoredType): boolean {
  return type === 'F32' || type === 'F16' || type === 'BF16' || type === 'F64'
}

/**
 * Values from their bytes. f16, bf16 and f64 become f32, booleans become u8, and other integers become i32 or u32. The
 * values may share memory with `stored`.
 *
 * @param where begins the message
 * @throws UserError if an integer does not fit
 */
export function decodeValues(dtype: StoredType, stored: Uint8Array, where: string): TensorArray {
  // Copies with the constructor: slice() of a Node Buffer would be a view.
  const bytes = stored.byteOffset % 8 === 0 ? stored : new Uint8Array(stored)
  const { buffer, byteOffset, byteLength } = bytes
  const count = byteLength / bytesPerElement[dtype]
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, count)
    case 'I32':
      return new Int32Array(buffer, byteOffset, count)
    case 'U32':
      return new Uint32Array(buffer, byteOffset, count)
    case 'U8':
    case 'BOOL':
      return bytes
    case 'I8':
      return Int32Array.from(new Int8Array(buffer, byteOffset, count))
    case 'I16':
      return Int32Array.from(new Int16Array(buffer, byteOffset, count))
    case 'U16':
      return Uint32Array.from(new Uint16Array(buffer, byteOffset, count))
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, count))
    case 'F16':
      return fromHalves(new Uint16Array(buffer, byteOffset, count))
    case 'BF16':
      return new Float32Array(
        Uint32Array.from(new Uint16Array(buffer, byteOffset, count), (bits) => bits << 16).buffer,
      )
    case 'I64':
      return Int32Array.from(new BigInt64Array(buffer, byteOffset, count), (value) => {
        if (BigInt.asIntN(32, value) === value) return Number(value)
        throw new UserError(`${where}: ${value} does not fit 32 bits`)
      })
    case 'U64':
      return Uint32Array.from(new BigUint64Array(buffer, byteOffset, count), (value) => {
        if (BigInt.asUintN(32, value) === value) return Number(value)
        throw new UserError(`${where}: ${value} does not fit 32 bits`)
      })
  }
}
