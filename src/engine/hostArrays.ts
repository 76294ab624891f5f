/** How numbers cross between host and device: one array type per element type, and the bytes they take. */
import { fromHalves, toHalves } from './float16.js'

export type DType = 'f32' | 'f16' | 'u32' | 'i32'

/** What the host sees. An f16 tensor is read and written as f32. */
export type HostArray = Float32Array | Uint32Array | Int32Array

/** Bytes of `count` elements, rounded up to the 4 bytes in which WebGPU binds and copies. */
export function byteLength(dtype: DType, count: number): number {
  return dtype === 'f16' ? Math.ceil(count / 2) * 4 : 4 * count
}

/** The bytes to upload for `values`. */
export function toDevice(values: HostArray | readonly number[], dtype: DType): HostArray | Uint16Array {
  if (dtype === 'f16') {
    const padded = new Uint16Array(byteLength('f16', values.length) / 2)
    padded.set(toHalves(values))
    return padded
  }
  if (!Array.isArray(values)) return values as HostArray
  if (dtype === 'u32') return Uint32Array.from(values)
  return dtype === 'i32' ? Int32Array.from(values) : Float32Array.from(values)
}

/** `count` elements out of downloaded bytes. */
export function fromDevice(bytes: ArrayBuffer, dtype: DType, count: number): HostArray {
  if (dtype === 'f16') return fromHalves(new Uint16Array(bytes, 0, count))
  if (dtype === 'u32') return new Uint32Array(bytes)
  return dtype === 'i32' ? new Int32Array(bytes) : new Float32Array(bytes)
}
