/** Shapes that do not fit an op; the message names the op, what it got and what it expects. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError'
  constructor(
    readonly op: string,
    message: string,
  ) {
    super(`${op}: ${message}`)
  }
}

/** The device refused or lost work: validation error, out of memory, device loss. */
export class DeviceError extends Error {
  override readonly name = 'DeviceError'
}

/** A request that exceeds a limit of this adapter. */
export class LimitError extends Error {
  override readonly name = 'LimitError'
}

/** Stored kernel variants cannot be read or written; training continues without them. */
export class VariantStoreError extends Error {
  override readonly name = 'VariantStoreError'
}

/** A tensor that is too large to bind on this adapter. */
export function bindingLimitError(bytes: number, limit: number): LimitError {
  const mib = (n: number) => `${(n / 2 ** 20).toFixed(0)} MiB`
  return new LimitError(
    `a tensor of ${mib(bytes)} exceeds this adapter's binding limit of ${mib(limit)}; use a smaller batch`,
  )
}
