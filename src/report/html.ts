/** Text that is already HTML (or SVG). Everything else is escaped when it meets the `html` tag. */
export class Html {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text
  }
}

export type HtmlPart = Html | string | number | null | readonly HtmlPart[]

/** Template tag: literal parts are markup, values are escaped unless they are Html; null is left out. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlPart[]): Html {
  const parts = strings.map(
    (literal, index) => literal + (index < values.length ? partText(values[index]) : ''),
  )
  return new Html(parts.join(''))
}

function partText(part: HtmlPart): string {
  if (part === null) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part))
  return part.map(partText).join('')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character])
}
