const description =
  'The encoder computes features of an image. The AU head predicts action units from them and pulls the features toward that task. ' +
  'The identity head predicts the subject from the same features. Its gradient is multiplied by minus lambda, which pushes the features away from that task.'

/** Gradient reversal as two forces on the features (Ganin and Lempitsky 2015). */
export function GradientReversalFigure({ lambda }: { readonly lambda: number }) {
  // As long as the push is strong: away from the identity head.
  const length = 14 + 24 * lambda
  const pushed = [169 - 0.82 * length, 102 - 0.57 * length].map((value) => value.toFixed(1))
  return (
    <figure class="reversal">
      <figcaption>How gradient reversal works</figcaption>
      <svg viewBox="0 0 420 250" role="img" aria-label={description}>
        <defs>
          <Tip id="tip-soft" tone="var(--soft)" />
          <Tip id="tip-au" tone="var(--tone-plain)" />
          <Tip id="tip-id" tone="var(--tone-iat)" />
        </defs>
        <Box x={12} y={184} label="Encoder" />
        <Box x={298} y={16} label="AU head" />
        <Box x={298} y={184} label="Identity head" />
        <g class="thin">
          <path d="M112 188 166 144" marker-end="url(#tip-soft)" />
          <path d="M226 100 296 48" />
          <path d="M226 144 296 194" />
        </g>
        <path class="force au" d="M226 100 268 69" marker-end="url(#tip-au)" />
        <path class="force id" d={`M169 102 ${pushed.join(' ')}`} marker-end="url(#tip-id)" />
        <circle class="features" cx="197" cy="122" r="35" />
        <text x="197" y="127" text-anchor="middle">
          features
        </text>
        <rect class="gate" x="234" y="155" width="54" height="28" rx="14" />
        <text class="id" x="261" y="174" text-anchor="middle">
          × −λ
        </text>
        <text class="au" x="246" y="66" text-anchor="end">
          pull
        </text>
        <text class="id" x="12" y="26">
          push, × {lambda.toFixed(1)}
        </text>
      </svg>
      <p>
        The AU head predicts action units and pulls the features toward that task. The identity head predicts
        the subject from the same features. On its way back to the encoder, its gradient is multiplied by −λ.
        This pushes information about the subject out of the features. With λ = 0 there is no push. If λ is
        too large, information about action units is lost as well.
      </p>
    </figure>
  )
}

function Box({ x, y, label }: { readonly x: number; readonly y: number; readonly label: string }) {
  return (
    <>
      <rect class="box" x={x} y={y} width="110" height="44" rx="8" />
      <text x={x + 55} y={y + 27} text-anchor="middle">
        {label}
      </text>
    </>
  )
}

function Tip({ id, tone }: { readonly id: string; readonly tone: string }) {
  return (
    <marker
      id={id}
      viewBox="0 0 10 10"
      refX="8"
      refY="5"
      markerWidth="9"
      markerHeight="9"
      markerUnits="userSpaceOnUse"
      orient="auto"
    >
      <path d="M0 0 10 5 0 10z" style={{ fill: tone }} />
    </marker>
  )
}
