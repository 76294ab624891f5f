// Gives peers, which were made for browsers, the same adapter as our own engine: navigator.gpu.
import { cpus } from 'node:os'
import { findAdapter } from '../../dist/adapter.js'

const { gpu } = await findAdapter()
const navigator = { gpu, userAgent: 'Node.js', hardwareConcurrency: cpus().length }
Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true })

// Iterator helpers (ES2025), which jax-js uses and Node 20 lacks.
const iterator = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))
iterator.map ??= function* (change) {
  let index = 0
  for (const value of this) yield change(value, index++)
}
iterator.filter ??= function* (accept) {
  let index = 0
  for (const value of this) if (accept(value, index++)) yield value
}
iterator.toArray ??= function () {
  return [...this]
}
