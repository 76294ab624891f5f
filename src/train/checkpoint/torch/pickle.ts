/**
 * Reads a pickle (protocols 2 to 5, https://docs.python.org/3/library/pickletools.html) without running anything.
 * Objects become inert records of a class name, arguments and state. Only the names in `allowed` may occur.
 *
 * The machine has no recursion, and its work and memory are limited by MAX_OPERATIONS.
 */

/** A pickle is damaged, or contains what is not allowed. */
export class PickleError extends Error {}

/** A Python class or function, by name only. */
export class PyGlobal {
  constructor(readonly name: string) {}
}

/** An object that the pickle describes: nothing of it was created. */
export class PyObject {
  state: PyValue = null

  constructor(
    readonly type: string,
    readonly args: readonly PyValue[],
  ) {}
}

/** An object outside the pickle, such as a storage of a tensor. */
export class PersistentId {
  constructor(readonly id: PyValue) {}
}

/** Lists, tuples and sets are arrays; dicts are maps. */
export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyValue[]
  | Map<PyValue, PyValue>
  | PyGlobal
  | PyObject
  | PersistentId

export interface Unpickled {
  readonly value: PyValue
  /** All persistent ids, in the order of the pickle. */
  readonly persistent: readonly PersistentId[]
  /** Position after the pickle. */
  readonly end: number
}

/** @throws PickleError for a damaged pickle and for a name that `allowed` refuses */
export function unpickle(bytes: Uint8Array, start: number, allowed: (name: string) => boolean): Unpickled {
  const machine = new Machine(bytes, start, allowed)
  return machine.run()
}

class Machine {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #allowed: (name: string) => boolean
  #at: number
  #stack: PyValue[] = []
  readonly #marks: PyValue[][] = []
  readonly #memo = new Map<number, PyValue>()
  readonly #persistent: PersistentId[] = []
  #operations = 0

  constructor(bytes: Uint8Array, start: number, allowed: (name: string) => boolean) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = start
    this.#allowed = allowed
  }

  run(): Unpickled {
    for (;;) {
      this.#work(1)
      const at = this.#at
      const code = this.#byte()
      if (code === STOP) return { value: this.pop(), persistent: this.#persistent, end: this.#at }
      const operation = operations.get(code)
      if (!operation) throw new PickleError(`unknown pickle opcode 0x${code.toString(16)} at byte ${at}`)
      operation(this)
    }
  }

  #work(operations: number): void {
    this.#operations += operations
    if (this.#operations > MAX_OPERATIONS)
      throw new PickleError(`its pickle has more than ${MAX_OPERATIONS} operations`)
  }

  // Reading

  #take(count: number): number {
    const at = this.#at
    if (count < 0) throw new PickleError(`damaged pickle: a negative length at byte ${at - 4}`)
    if (at + count > this.#bytes.length) throw this.#truncated()
    this.#at = at + count
    return at
  }

  #truncated(): PickleError {
    return new PickleError(`truncated pickle: no end before byte ${this.#bytes.length}`)
  }

  #byte(): number {
    return this.#bytes[this.#take(1)]
  }

  /** Unsigned, little-endian. */
  length(size: 1 | 2 | 4 | 8): number {
    const at = this.#take(size)
    if (size === 1) return this.#view.getUint8(at)
    if (size === 2) return this.#view.getUint16(at, true)
    if (size === 4) return this.#view.getUint32(at, true)
    return Number(this.#view.getBigUint64(at, true))
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8), false)
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  text(length: number): string {
    return decoder.decode(this.bytes(length))
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw this.#truncated()
    const text = this.text(end - this.#at)
    this.#take(1)
    return text
  }

  /** Two's complement, little-endian, of any length up to MAX_INTEGER. */
  integer(length: number): number | bigint {
    if (length > MAX_INTEGER) throw new PickleError(`damaged pickle: an integer of ${length} bytes`)
    const digits = [...this.bytes(length)].reverse()
    const unsigned = digits.reduce((value, digit) => (value << 8n) | BigInt(digit), 0n)
    const value = BigInt.asIntN(8 * length, unsigned)
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }

  // Stack

  push(value: PyValue): void {
    this.#stack.push(value)
  }

  pop(): PyValue {
    const value = this.#stack.pop()
    if (value === undefined) throw new PickleError('damaged pickle: its stack is empty')
    return value
  }

  top(): PyValue {
    const value = this.pop()
    this.#stack.push(value)
    return value
  }

  mark(): void {
    this.#marks.push(this.#stack)
    this.#stack = []
  }

  /** What was pushed since the last mark. */
  popMark(): PyValue[] {
    const items = this.#stack
    const below = this.#marks.pop()
    if (!below) throw new PickleError('damaged pickle: no mark on its stack')
    this.#stack = below
    return items
  }

  get memoSize(): number {
    return this.#memo.size
  }

  store(index: number): void {
    this.#memo.set(index, this.top())
  }

  recall(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined) throw new PickleError(`damaged pickle: memo ${index} is empty`)
    this.push(value)
  }

  // Objects

  global(module: PyValue, name: PyValue): void {
    // Before it is written out: a list that contains another twice, and so on, would have no end.
    if (typeof module !== 'string' || typeof name !== 'string')
      throw new PickleError('damaged pickle: a name that is no text')
    const full = `${module}.${name}`
    const shown = full.length > MAX_SHOWN ? `${full.slice(0, MAX_SHOWN)}…` : full
    if (!this.#allowed(full))
      throw new PickleError(
        `its pickle refers to ${JSON.stringify(shown)}; expected only tensors and plain values`,
      )
    this.push(new PyGlobal(full))
  }

  object(type: PyValue, args: PyValue): void {
    if (!(type instanceof PyGlobal) || !Array.isArray(args))
      throw new PickleError('damaged pickle: a call of something that is no class')
    this.push(
      type.name === 'collections.OrderedDict' ? this.#orderedDict(args) : new PyObject(type.name, args),
    )
  }

  /** Python 2 gives the items as a list of pairs. */
  #orderedDict([pairs = []]: readonly PyValue[]): Map<PyValue, PyValue> {
    const isPair = (item: PyValue): item is [PyValue, PyValue] => Array.isArray(item) && item.length === 2
    // The only operation that costs more than its bytes: many calls can share one list.
    if (Array.isArray(pairs)) this.#work(pairs.length)
    if (!Array.isArray(pairs) || !pairs.every(isPair))
      throw new PickleError('damaged pickle: an OrderedDict of something that is no list of pairs')
    return new Map(pairs)
  }

  persistent(): void {
    const found = new PersistentId(this.pop())
    this.#persistent.push(found)
    this.push(found)
  }

  // Subclasses of list and of dict are records, whose items nothing reads.

  extend(items: readonly PyValue[]): void {
    const list = this.top()
    if (list instanceof PyObject) return
    if (!Array.isArray(list)) throw new PickleError('damaged pickle: an item of something that is no list')
    for (const item of items) list.push(item)
  }

  assign(items: readonly PyValue[]): void {
    const map = this.top()
    if (map instanceof PyObject) return
    if (!(map instanceof Map) || items.length % 2 > 0)
      throw new PickleError('damaged pickle: a key of something that is no dict')
    for (let at = 0; at < items.length; at += 2) map.set(items[at], items[at + 1])
  }

  build(): void {
    const state = this.pop()
    const target = this.top()
    // State of an OrderedDict is its attributes, such as `_metadata` of a state dict.
    if (target instanceof PyObject) target.state = state
  }
}

const STOP = 0x2e
/** The pickle of ViT-L with its optimizer has about 50,000; each may create an object of 200 bytes. */
const MAX_OPERATIONS = 2 ** 21
/** Characters of a name in a message. */
const MAX_SHOWN = 80
/** Python writes its magic numbers with 10 bytes. */
const MAX_INTEGER = 64
const decoder = new TextDecoder('utf-8', { fatal: false })

type Operation = (machine: Machine) => void

/** From pickletools, protocol 2 to 5, without text forms of protocol 0 and the extension registry. */
const operations: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  // PROTO, FRAME
  [0x80, (m) => void m.bytes(1)],
  [0x95, (m) => void m.bytes(8)],
  // NONE, NEWTRUE, NEWFALSE
  [0x4e, (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  // BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
  [0x4a, (m) => m.push(m.int32())],
  [0x4b, (m) => m.push(m.length(1))],
  [0x4d, (m) => m.push(m.length(2))],
  [0x8a, (m) => m.push(m.integer(m.length(1)))],
  [0x8b, (m) => m.push(m.integer(m.int32()))],
  [0x47, (m) => m.push(m.float64())],
  // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8, and the strings of Python 2
  [0x58, (m) => m.push(m.text(m.length(4)))],
  [0x8c, (m) => m.push(m.text(m.length(1)))],
  [0x8d, (m) => m.push(m.text(m.length(8)))],
  [0x54, (m) => m.push(m.text(m.int32()))],
  [0x55, (m) => m.push(m.text(m.length(1)))],
  // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
  [0x42, (m) => m.push(m.bytes(m.length(4)))],
  [0x43, (m) => m.push(m.bytes(m.length(1)))],
  [0x8e, (m) => m.push(m.bytes(m.length(8)))],
  [0x96, (m) => m.push(m.bytes(m.length(8)))],
  // EMPTY_LIST, APPEND, APPENDS, LIST
  [0x5d, (m) => m.push([])],
  [0x61, (m) => m.extend([m.pop()])],
  [0x65, (m) => m.extend(m.popMark())],
  [0x6c, (m) => m.push(m.popMark())],
  // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
  [0x29, (m) => m.push([])],
  [0x85, (m) => m.push([m.pop()])],
  [0x86, (m) => m.push([m.pop(), m.pop()].reverse())],
  [0x87, (m) => m.push([m.pop(), m.pop(), m.pop()].reverse())],
  [0x74, (m) => m.push(m.popMark())],
  // EMPTY_DICT, SETITEM, SETITEMS, DICT
  [0x7d, (m) => m.push(new Map())],
  [0x73, (m) => m.assign([m.pop(), m.pop()].reverse())],
  [0x75, (m) => m.assign(m.popMark())],
  [
    0x64,
    (m) => {
      const items = m.popMark()
      m.push(new Map())
      m.assign(items)
    },
  ],
  // EMPTY_SET, ADDITEMS, FROZENSET
  [0x8f, (m) => m.push([])],
  [0x90, (m) => m.extend(m.popMark())],
  [0x91, (m) => m.push(m.popMark())],
  // POP, POP_MARK, DUP, MARK
  [0x30, (m) => void m.pop()],
  [0x31, (m) => void m.popMark()],
  [0x32, (m) => m.push(m.top())],
  [0x28, (m) => m.mark()],
  // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
  [0x71, (m) => m.store(m.length(1))],
  [0x72, (m) => m.store(m.length(4))],
  [0x94, (m) => m.store(m.memoSize)],
  [0x68, (m) => m.recall(m.length(1))],
  [0x6a, (m) => m.recall(m.length(4))],
  // GLOBAL, STACK_GLOBAL
  [0x63, (m) => m.global(m.line(), m.line())],
  [
    0x93,
    (m) => {
      const name = m.pop()
      m.global(m.pop(), name)
    },
  ],
  // REDUCE, NEWOBJ, NEWOBJ_EX, BUILD, BINPERSID
  [
    0x52,
    (m) => {
      const args = m.pop()
      m.object(m.pop(), args)
    },
  ],
  [
    0x81,
    (m) => {
      const args = m.pop()
      m.object(m.pop(), args)
    },
  ],
  [
    0x92,
    (m) => {
      m.pop()
      const args = m.pop()
      m.object(m.pop(), args)
    },
  ],
  [0x62, (m) => m.build()],
  [0x51, (m) => m.persistent()],
])
