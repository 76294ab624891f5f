import { Component, type ComponentChildren } from 'preact'

const RELOAD = 'Reload the page to try again.'

interface Advice {
  readonly title: string
  readonly todo: string
}

/** Errors that have advice of their own, by name. The messages of the others say what to do. */
const advice: Readonly<Record<string, Advice>> = {
  OtherTabError: {
    title: 'This page is open in another tab',
    todo: 'Use that tab, or close it and reload this one.',
  },
  NoAdapterError: { title: 'This browser cannot train here', todo: '' },
  DeviceError: { title: 'This browser cannot train here', todo: RELOAD },
}

const OTHERS: Advice = {
  title: 'This page does not work',
  todo: `${RELOAD} If that does not help, use a current version of Chrome, Edge or Safari.`,
}

/** What stands in place of the page where it cannot go on. */
export function Failure({ error }: { readonly error: Error }) {
  const { title, todo } = advice[error.name] ?? OTHERS
  const reason = error.message.replace(/^\w/, (letter) => letter.toUpperCase()).replace(/\.?$/, '.')
  return (
    <section class="unavailable" role="alert">
      <h2>{title}</h2>
      <p>
        {reason} {todo}
      </p>
    </section>
  )
}

interface Caught {
  readonly error: Error | null
}

/** Shows what its children throw while they are drawn, instead of an empty page. */
export class FailureBoundary extends Component<{ children: ComponentChildren }, Caught> {
  override state: Caught = { error: null }

  static override getDerivedStateFromError(error: Error): Caught {
    return { error }
  }

  override render() {
    const { error } = this.state
    return error ? <Failure error={error} /> : this.props.children
  }
}
