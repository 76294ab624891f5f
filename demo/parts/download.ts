import type { ModelId } from '../worker/tryIt.js'
import type { WorkerLink } from '../workerLink.js'

/** Offers a model of the page as a file to be saved. */
export async function saveModel({ tryIt }: WorkerLink['worker'], id: ModelId): Promise<void> {
  saveFile(`${id}.safetensors`, await tryIt.download(id))
}

function saveFile(name: string, parts: readonly Uint8Array[]): void {
  const url = URL.createObjectURL(new Blob(parts.map((part) => new Uint8Array(part))))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser has taken hold of the file once the click is dealt with.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
