import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.jsonl': 'application/x-ndjson; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
}

/**
 * Serves the files of a folder on localhost, which browsers treat as a secure context, as WebGPU requires.
 * `basePath`: where the folder appears, such as "/some/where/"; all else is 404. `port`: 0 for any free one.
 * Returns { url (of basePath, ends in "/"), close }.
 * @param {string} folder
 * @param {{ basePath?: string, port?: number }} [options]
 */
export async function serveFolder(folder, { basePath = '/', port = 0 } = {}) {
  const base = `/${basePath}/`.replaceAll(/\/+/g, '/')
  const server = createServer((request, response) => {
    answer(resolve(folder), base, request, response).catch((error) => response.destroy(error))
  })
  await new Promise((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done))
  const close = () =>
    new Promise((done) => {
      server.close(done)
      server.closeAllConnections()
    })
  return { url: `http://localhost:${server.address().port}${base}`, close }
}

async function answer(folder, base, request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405)
  const path = fileOf(folder, base, request.url)
  const file = path && (await servable(path))
  // Browsers request an icon that no page mentions; a 404 would show as an error in their console.
  if (!file) return refuse(response, request.url === '/favicon.ico' ? 204 : 404)
  response.writeHead(200, {
    'content-type': TYPES[extname(file.path).toLowerCase()] ?? 'application/octet-stream',
    'content-length': file.size,
    'cache-control': 'no-store',
  })
  if (request.method === 'HEAD') return response.end()
  await pipeline(createReadStream(file.path), response)
}

/** The path under `folder` that a URL asks for, or null: outside of base, outside of the folder, or no valid URL. */
function fileOf(folder, base, url) {
  try {
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname)
    if (!path.startsWith(base)) return null
    const file = resolve(folder, path.slice(base.length))
    return file === folder || file.startsWith(folder + sep) ? file : null
  } catch {
    return null
  }
}

async function servable(path) {
  const found = await stat(path).catch(() => null)
  if (found?.isDirectory()) return servable(join(path, 'index.html'))
  return found?.isFile() ? { path, size: found.size } : null
}

function refuse(response, status) {
  response.writeHead(status).end()
}
