import type { PickedFile } from '../../src/data/openFiles.browser.js'

/** Files of <input type="file">: a folder's with their paths in it, single ones by their names. */
export function pickedFiles(files: FileList): PickedFile[] {
  return Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, file }))
}

/**
 * All files that were dropped, those of folders with their paths. Must be called while the drop is being
 * dealt with.
 */
export async function droppedFiles({ items }: DataTransfer): Promise<PickedFile[]> {
  // Entries can be asked for now only, not after the first await.
  const entries = Array.from(items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null)
  return (await Promise.all(entries.map(filesOf))).flat()
}

async function filesOf(entry: FileSystemEntry): Promise<PickedFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    return [{ path: entry.fullPath.slice(1), file }]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: PickedFile[] = []
  for (;;) {
    // A hundred at a time, by the browsers' rule.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (some.length === 0) return found
    found.push(...(await Promise.all(some.map(filesOf))).flat())
  }
}
