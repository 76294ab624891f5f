import { createHash, randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { makeOwnFolder } from '../folders.node.js'
import { cacheFolder } from './cacheFolder.node.js'

// SwiftShader, a Vulkan driver that runs on any x86-64 CPU, is contained in the npm package @sparticuz/chromium as a
// Brotli-compressed tar. It is unpacked to the user's cache and loaded before Dawn searches for Vulkan. So `npm ci`
// alone is enough on a machine without any driver.

const LOADER = 'libvulkan.so.1'
const DRIVER_RECORD = 'vk_swiftshader_icd.json'
const FILES = [LOADER, 'libvk_swiftshader.so', DRIVER_RECORD]
const MANIFEST = 'manifest.json'

/** SwiftShader cannot be used here; the message says why. */
export class SwiftShaderError extends Error {
  override readonly name = 'SwiftShaderError'
}

/**
 * Makes SwiftShader the process's only Vulkan driver. Call it before Dawn opens Vulkan, or after Dawn found
 * none. Child processes inherit the choice through the environment.
 * @throws SwiftShaderError on another platform, without the package, or when it cannot be unpacked or loaded.
 */
export async function useSwiftShader(): Promise<void> {
  const folder = await unpackSwiftShader()
  try {
    const { default: koffi } = await import('koffi')
    // Global, so that Dawn's own dlopen of the same name meets this loader on a machine without libvulkan.
    koffi.load(join(folder, LOADER), { global: true })
  } catch (error) {
    throw new SwiftShaderError(`SwiftShader in ${folder} does not load: ${messageOf(error)}`)
  }
  const record = join(folder, DRIVER_RECORD)
  process.env.VK_DRIVER_FILES = record
  process.env.VK_ICD_FILENAMES = record
}

/**
 * Unpacks the driver to the user's cache folder once and returns that folder. Every file is checked against
 * its SHA-256 at each start, and a damaged copy is replaced. The folder is named after the archive's hash and
 * each file is renamed into place whole, so processes that do this at the same time cannot harm one another.
 */
export async function unpackSwiftShader(cacheRoot = cacheFolder()): Promise<string> {
  const archive = await readFile(archivePath())
  const folder = join(cacheRoot, `swiftshader-${sha256(archive).slice(0, 16)}`)
  try {
    makeOwnFolder(folder)
    if (await isIntact(folder)) return folder
    await writeFiles(folder, await untar(brotliDecompressSync(archive)))
  } catch (error) {
    throw new SwiftShaderError(`SwiftShader cannot be unpacked to ${folder}: ${messageOf(error)}`)
  }
  if (await isIntact(folder)) return folder
  throw new SwiftShaderError(`SwiftShader unpacked to ${folder} is damaged (disk full?)`)
}

function archivePath(): string {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SwiftShaderError(
      `the packaged SwiftShader supports only linux-x64; this is ${process.platform}-${process.arch}`,
    )
  }
  try {
    const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium') // …/build/cjs/index.cjs
    return join(dirname(entry), '..', '..', 'bin', 'swiftshader.tar.br')
  } catch {
    throw new SwiftShaderError('the package @sparticuz/chromium is not installed')
  }
}

async function untar(tar: Buffer): Promise<Map<string, Buffer>> {
  const { extract } = await import('tar-stream')
  const reader = extract()
  reader.end(tar)
  const found = new Map<string, Buffer>()
  for await (const entry of reader) {
    const name = entry.header.name.replace(/^\.\//, '')
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    if (FILES.includes(name)) found.set(name, Buffer.concat(chunks))
  }
  return found
}

async function writeFiles(folder: string, contents: Map<string, Buffer>): Promise<void> {
  const manifest: Record<string, string> = {}
  for (const name of FILES) {
    const content = contents.get(name)
    if (!content) throw new Error(`the archive does not contain ${name}`)
    await writeWhole(join(folder, name), content)
    manifest[name] = sha256(content)
  }
  await writeWhole(join(folder, MANIFEST), Buffer.from(JSON.stringify(manifest)))
}

async function writeWhole(path: string, content: Buffer): Promise<void> {
  const fresh = `${path}.${randomUUID()}`
  try {
    await writeFile(fresh, content, { mode: 0o755 })
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}

async function isIntact(folder: string): Promise<boolean> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as Record<string, string>
    for (const name of FILES) {
      if (sha256(await readFile(join(folder, name))) !== manifest[name]) return false
    }
    return true
  } catch {
    return false
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
