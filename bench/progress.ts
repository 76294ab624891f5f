/** Says on stderr what is being measured: the tables come when a section is complete. */
export function progress(text: string): void {
  process.stderr.write(`measuring ${text}\n`)
}
