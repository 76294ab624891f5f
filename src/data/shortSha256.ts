/** The first 8 bytes of a text's SHA-256, in hex. Requires Web Crypto (in pages: a secure context). */
export async function shortSha256(text: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(hash, 0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
