// The browser's private storage (OPFS) for tests in Node, as far as the page uses it.

class MemoryFile {
  #bytes = new Uint8Array()

  async getFile(): Promise<Blob> {
    return new Blob([this.#bytes])
  }

  async createWritable() {
    const parts: (Uint8Array<ArrayBuffer> | string)[] = []
    return {
      write: async (part: Uint8Array<ArrayBuffer> | string) => {
        parts.push(part)
      },
      close: async () => {
        this.#bytes = new Uint8Array(await new Blob(parts).arrayBuffer())
      },
    }
  }
}

class MemoryFolder {
  readonly #entries = new Map<string, MemoryFile | MemoryFolder>()

  getDirectoryHandle(name: string, options?: { create: boolean }) {
    return this.#entry(name, MemoryFolder, options)
  }

  getFileHandle(name: string, options?: { create: boolean }) {
    return this.#entry(name, MemoryFile, options)
  }

  async removeEntry(name: string): Promise<void> {
    this.#entries.delete(name)
  }

  async *keys() {
    yield* [...this.#entries.keys()]
  }

  async #entry<E extends MemoryFile | MemoryFolder>(
    name: string,
    Kind: new () => E,
    options = { create: false },
  ) {
    if (options.create && !this.#entries.has(name)) this.#entries.set(name, new Kind())
    const entry = this.#entries.get(name)
    if (!entry) throw new DOMException(`no ${name}`, 'NotFoundError')
    return entry as E
  }
}

/** From now on pages' code finds an empty storage. */
export function provideStorage(): void {
  const root = new MemoryFolder()
  const value = { storage: { getDirectory: async () => root } }
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true })
}
