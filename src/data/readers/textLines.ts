/** Splits lines at LF or CRLF, keeps line numbers, drops blank lines. */
export function* numberedLines(text: string): Generator<{ number: number; line: string }> {
  let number = 0
  for (const raw of text.replace(/^\uFEFF/, '').split('\n')) {
    number++
    const line = raw.trim()
    if (line) yield { number, line }
  }
}
