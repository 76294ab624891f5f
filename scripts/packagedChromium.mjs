import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import { root } from './process.mjs'

// Unpacks the headless Chromium of the npm package @sparticuz/chromium. The package's own code leaves an incomplete
// browser when interrupted, and does not unpack the libraries that a minimal machine lacks (NSS, expat).

const PACKAGE = '@sparticuz/chromium'
const unpackBrotli = promisify(brotliDecompress)

/**
 * Unpacks the browser into node_modules/.cache once. Returns { executablePath, env }, the environment it needs.
 * Throws an Error that says why it is not available here.
 */
export async function packagedChromium() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(`${PACKAGE} supports only linux-x64; this is ${process.platform}-${process.arch}`)
  const { version, binaries } = await locate()
  const folder = join(root, 'node_modules', '.cache', 'fmae-webgpu', `chromium-${version}`)
  if (!(await isFolder(folder))) await unpackInto(folder, binaries)
  await checkOwner(folder)
  return {
    executablePath: join(folder, 'chromium'),
    env: { LD_LIBRARY_PATH: join(folder, 'lib'), FONTCONFIG_FILE: join(folder, 'fonts.conf') },
  }
}

async function locate() {
  let entry
  try {
    entry = createRequire(import.meta.url).resolve(PACKAGE) // …/build/cjs/index.cjs
  } catch {
    throw new Error(`the package ${PACKAGE} is not installed`)
  }
  const home = join(dirname(entry), '..', '..')
  const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'))
  return { version, binaries: join(home, 'bin') }
}

async function isFolder(path) {
  return (await readdir(path).catch(() => [])).length > 0
}

/** Programs are started from this folder, so only this user may write to it. */
async function checkOwner(folder) {
  const { uid, mode } = await stat(folder)
  const user = process.getuid()
  if ((uid !== user && uid !== 0) || mode & 0o002)
    throw new Error(`${folder} belongs to another user, or every user may write there; remove it`)
}

/** Creates the folder atomically; a second process uses the folder of the first. */
async function unpackInto(folder, binaries) {
  await mkdir(dirname(folder), { recursive: true })
  const fresh = await mkdtemp(`${folder}.`)
  try {
    await chmod(fresh, 0o755)
    const archive = async (name) => unpackBrotli(await readFile(join(binaries, name)))
    await writeFile(join(fresh, 'chromium'), await archive('chromium.br'), { mode: 0o755 })
    for (const name of ['al2023.tar.br', 'swiftshader.tar.br', 'fonts.tar.br'])
      await writeTar(await archive(name), fresh)
    await writeFile(join(fresh, 'fonts.conf'), fontsFile(folder))
    await rename(fresh, folder)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    if (!(await isFolder(folder))) throw new Error(`${PACKAGE} cannot be unpacked: ${error.message}`)
  }
}

async function writeTar(bytes, folder) {
  const { extract } = await import('tar-stream')
  const reader = extract()
  reader.end(bytes)
  for await (const entry of reader) {
    const chunks = []
    for await (const chunk of entry) chunks.push(chunk)
    if (entry.header.type !== 'file') continue
    const path = join(folder, entry.header.name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, Buffer.concat(chunks), { mode: 0o755 })
  }
}

function fontsFile(folder) {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>
`
}
