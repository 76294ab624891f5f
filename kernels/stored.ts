/**
 * How activations lie in memory: f32, or f16 where the adapter has `shader-f16` (mixed precision).
 * Arithmetic, statistics and sums are f32 either way (Micikevicius et al. 2018): a kernel widens what it
 * loads and rounds what it stores.
 */
export type StoredType = 'f32' | 'f16'

/**
 * WGSL that every kernel with a stored type starts with. `Stored` is one element, `Stored4` four: loads read
 * `vec4f(x[i])` or `f32(x[i])`, stores `y[i] = Stored4(v)` or `Stored(v)`, so one text serves both types.
 */
export function storedWgsl(stored: StoredType): string {
  const enable = stored === 'f16' ? 'enable f16;\n' : ''
  return `${enable}alias Stored = ${stored};\nalias Stored4 = vec4<${stored}>;\n`
}

export function storedBytes(stored: StoredType): number {
  return stored === 'f16' ? 2 : 4
}

/** What a kernel's name and key end in. */
export function storedSuffix(stored: StoredType): string {
  return stored === 'f16' ? '.f16' : ''
}
